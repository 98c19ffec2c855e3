import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import type { CertificatePair } from '../model/router.ts';
import { bits, context, integer, octets, oid, sequence, set, tagged, time, utf8, yes } from './der.ts';

/** ECDSA on P-256: what every browser takes, and cheap in a handshake. */
export function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

/** PKCS #8, PEM. */
export function keyText(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}

/** A request for a certificate (PKCS #10, RFC 2986) for these hosts, DER; the names stand in subjectAltName alone. */
export function certificateRequest(hosts: string[], key: KeyObject): Buffer {
  const extensions = sequence(namesExtension(hosts));
  const attributes = context(0, sequence(oid(EXTENSION_REQUEST), set(extensions)));
  return signed(sequence(integer(Buffer.from([0])), sequence(), publicKeyOf(key), attributes), key);
}

/** What a host shows to a certificate authority that speaks `acme-tls/1` (RFC 8737, 3); `answer` is the key authorization. */
export function challengeCertificate(host: string, answer: string): CertificatePair {
  const key = newKey();
  const day = 86_400_000;
  const name = sequence(set(sequence(oid(COMMON_NAME), utf8('acme challenge'))));
  const proof = octets(createHash('sha256').update(answer).digest());
  const toBeSigned = sequence(
    context(0, integer(Buffer.from([2]))), // version 3
    integer(randomBytes(16).fill(1, 0, 1)),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(new Date(Date.now() - day)), time(new Date(Date.now() + day))),
    name,
    publicKeyOf(key),
    context(3, sequence(namesExtension([host]), sequence(oid(ACME_IDENTIFIER), yes(), octets(proof)))),
  );
  return { chain: pem('CERTIFICATE', signed(toBeSigned, key)), key: keyText(key) };
}

const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';
const COMMON_NAME = '2.5.4.3';
const ACME_IDENTIFIER = '1.3.6.1.5.5.7.1.31';
const ECDSA_WITH_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const DNS_NAME = 0x82;

function namesExtension(hosts: string[]): Buffer {
  const names = hosts.map((host) => tagged(DNS_NAME, Buffer.from(host, 'ascii')));
  return sequence(oid(SUBJECT_ALTERNATIVE_NAME), octets(sequence(...names)));
}

function publicKeyOf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

function signed(content: Buffer, key: KeyObject): Buffer {
  return sequence(content, ECDSA_WITH_SHA256, bits(sign('sha256', content, key)));
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').replaceAll(/.{1,64}/g, '$&\n');
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}
