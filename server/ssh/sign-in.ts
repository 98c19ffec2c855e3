import ssh2, { type AuthContext, type ParsedKey, type PublicKeyAuthContext } from 'ssh2';
import type { Keys } from '../../deploy/platform/access.ts';
import type { Caller } from '../commands/command.ts';
import { isSignedBySecurityKey, parseSecurityKey } from './security-key.ts';

export type SignInStep =
  /** Ask for a signature: says nothing about whether we know the key. */
  | { answer: 'sign' }
  /** `key`: the blob of the key that signed. */
  | { answer: 'welcome'; caller: Caller; key: Buffer }
  /** `counts`: one of the tries. The first "none" is how every client asks for the methods. */
  | { answer: 'refuse'; counts: boolean };

/**
 * Decides one step of a sign-in. Only a signature that fits makes an identity, and it is that of the key which signed:
 * what was offered before without signature counts for nothing. The user name does not matter.
 *
 * Every well-formed key is asked to sign, known or not, so that nobody can find out by offering public keys which
 * of them may sign in here.
 */
export function decideSignIn(context: AuthContext, keys: Pick<Keys, 'authenticate'>): SignInStep {
  if (context.method === 'none') return { answer: 'refuse', counts: false };
  if (context.method !== 'publickey') return { answer: 'refuse', counts: true };
  const isSigned = verifierOf(context);
  if (!isSigned) return { answer: 'refuse', counts: true };
  const { signature, blob } = context;
  if (!signature || !blob) return { answer: 'sign' };
  const signed = isSigned(blob, signature);
  const caller = keys.authenticate(context.key.data);
  if (!signed || !caller) return { answer: 'refuse', counts: true };
  return { answer: 'welcome', caller, key: Buffer.from(context.key.data) };
}

type Verifier = (message: Buffer, signature: Buffer) => boolean;

/** How to check a signature of the offered key; undefined where it is of no type that we take. */
function verifierOf(context: PublicKeyAuthContext): Verifier | undefined {
  const { algo, data } = context.key;
  if (data.length > 4096) return undefined;
  if (algo.startsWith('sk-')) {
    const security = parseSecurityKey(algo, data);
    return security && guarded((message, signature) => isSignedBySecurityKey(security, message, signature));
  }
  const key = plainKey(context);
  // Of @types/ssh2 1.15, which lack the third argument and the Error that is returned for bad input.
  const verify = key?.verify as
    | ((data: Buffer, signature: Buffer, hash?: string) => boolean | Error)
    | undefined;
  return (
    verify && guarded((message, signature) => verify.call(key, message, signature, context.hashAlgo) === true)
  );
}

/** A key that ssh2 knows; RSA only with SHA-2 (RFC 8332) and 2048 bits. */
function plainKey({ key: { algo, data }, hashAlgo }: PublicKeyAuthContext): ParsedKey | undefined {
  if (algo === 'ssh-rsa' && (hashAlgo === undefined || data.length < 270)) return undefined;
  if (!/^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521))$/.test(algo)) return undefined;
  const parsed = ssh2.utils.parseKey(`${algo} ${data.toString('base64')}`);
  if (parsed instanceof Error || Array.isArray(parsed) || parsed.type !== algo) return undefined;
  return parsed;
}

/** What cannot even be checked is not signed. */
function guarded(verify: Verifier): Verifier {
  return (message, signature) => {
    try {
      return verify(message, signature);
    } catch {
      return false;
    }
  };
}
