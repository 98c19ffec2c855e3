import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { PaasError } from '../model/paas-error.ts';
import type { CertificatePair } from '../model/router.ts';
import { namesOf } from './certificate-names.ts';

/** A certificate with its chain and key, which fit each other. */
export interface Bundle extends CertificatePair {
  leaf: X509Certificate;
  names: string[];
}

/**
 * Reads the PEM text of a key and of certificates, in any order, and puts the chain in order (RFC 8446, 4.4.2). Throws `invalid` for
 * what cannot be shown to visitors: no key or two, a key that fits none, one behind a passphrase, too weak, or of a kind that browsers
 * do not take; certificates that are not of the chain; one without names, expired, or not for servers. No message holds the key.
 */
export function parseBundle(text: string, now = new Date()): Bundle {
  const blocks = pemBlocks(text);
  const key = readKey(blocks);
  const certificates = readCertificates(blocks);
  const leaf = certificates.find((certificate) => certificate.checkPrivateKey(key));
  if (!leaf) {
    const what =
      certificates.length === 1 ? 'the certificate' : `any of the ${certificates.length} certificates`;
    throw new PaasError('invalid', `The key does not fit ${what}: it is another certificate's.`);
  }
  const names = checkLeaf(leaf, now);
  return {
    leaf,
    names,
    chain: chainOf(leaf, certificates)
      .map((certificate) => certificate.toString())
      .join(''),
    key: String(key.export({ type: 'pkcs8', format: 'pem' })),
  };
}

interface Block {
  label: string;
  text: string;
}

function pemBlocks(text: string): Block[] {
  const found = text.matchAll(/-----BEGIN ([A-Z0-9 ]{1,40})-----[\s\S]*?-----END \1-----/g);
  const blocks = [...found].map(([all, label]) => ({ label: label!, text: all }));
  if (blocks.length > MAX_BLOCKS)
    throw new PaasError('invalid', `Over ${MAX_BLOCKS} PEM blocks are no chain.`);
  return blocks;
}

const MAX_BLOCKS = 20;

function readKey(blocks: Block[]): KeyObject {
  const keys = blocks.filter(({ label }) => label.endsWith('PRIVATE KEY'));
  if (keys.length === 0) {
    throw new PaasError(
      'invalid',
      'There is no private key in it (-----BEGIN PRIVATE KEY-----). Give certificate and key together: cat site.crt site.key | …',
    );
  }
  if (keys.length > 1)
    throw new PaasError('invalid', `There are ${keys.length} private keys in it: give one.`);
  const [{ label, text }] = keys as [Block];
  if (label.startsWith('ENCRYPTED') || text.includes('Proc-Type: 4,ENCRYPTED')) {
    throw new PaasError(
      'invalid',
      'The key has a passphrase, which nobody could type at a restart. Take it off: openssl pkey -in site.key -out open.key',
    );
  }
  try {
    return checkKey(createPrivateKey(text));
  } catch (error) {
    if (error instanceof PaasError) throw error;
    throw new PaasError('invalid', 'The private key cannot be read: it is damaged, or of an unknown kind.');
  }
}

/** What browsers take, in the strength that today's libraries ask for. */
function checkKey(key: KeyObject): KeyObject {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') {
    if ((modulusLength ?? 0) >= 2048) return key;
    throw new PaasError(
      'invalid',
      `An RSA key of ${modulusLength} bits is too weak: at least 2048, or ECDSA.`,
    );
  }
  if (key.asymmetricKeyType === 'ec' && CURVES.has(namedCurve ?? '')) return key;
  const kind = namedCurve ?? key.asymmetricKeyType;
  throw new PaasError(
    'invalid',
    `Browsers take no key of the kind ${kind}: use ECDSA (P-256, P-384) or RSA.`,
  );
}

const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);

function readCertificates(blocks: Block[]): X509Certificate[] {
  const texts = blocks.filter(({ label }) => label === 'CERTIFICATE' || label === 'X509 CERTIFICATE');
  if (texts.length === 0)
    throw new PaasError('invalid', 'There is no certificate in it (-----BEGIN CERTIFICATE-----).');
  const certificates = texts.map(({ text }, index) => {
    try {
      return new X509Certificate(text);
    } catch {
      throw new PaasError('invalid', `Certificate ${index + 1} of ${texts.length} cannot be read.`);
    }
  });
  return [...new Map(certificates.map((certificate) => [certificate.fingerprint256, certificate])).values()];
}

function checkLeaf(leaf: X509Certificate, now: Date): string[] {
  const [from, to] = [leaf.validFromDate, leaf.validToDate];
  if (to <= now) throw new PaasError('invalid', `The certificate expired on ${dayOf(to)}.`);
  if (from > now) throw new PaasError('invalid', `The certificate is not valid before ${dayOf(from)}.`);
  const usage = leaf.keyUsage;
  if (usage && !usage.includes(SERVER_AUTHENTICATION))
    throw new PaasError('invalid', 'The certificate is not for servers (extendedKeyUsage lacks serverAuth).');
  const names = namesOf(leaf);
  if (names.length > 0) return names;
  throw new PaasError(
    'invalid',
    'The certificate names no host in subjectAltName; browsers do not look at the name in its subject.',
  );
}

const SERVER_AUTHENTICATION = '1.3.6.1.5.5.7.3.1';

/** From the leaf up, each signed by the next. */
function chainOf(leaf: X509Certificate, certificates: X509Certificate[]): X509Certificate[] {
  const chain = [leaf];
  const left = new Set(certificates.filter((certificate) => certificate !== leaf));
  for (let last = leaf; ; ) {
    const issuer = [...left].find(
      (candidate) => last.checkIssued(candidate) && last.verify(candidate.publicKey),
    );
    if (!issuer) break;
    left.delete(issuer);
    chain.push(issuer);
    last = issuer;
  }
  const [stranger] = left;
  if (!stranger) return chain;
  throw new PaasError(
    'invalid',
    `The certificate "${oneLine(stranger.subject)}" is not of the chain: none of the others, from "${oneLine(leaf.subject)}" up, is signed by it.`,
  );
}

function oneLine(name: string | undefined): string {
  return (name ?? '').replaceAll('\n', ', ').slice(0, 200);
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
