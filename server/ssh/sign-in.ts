import ssh2, { type AuthContext, type ParsedKey, type PublicKeyAuthContext } from 'ssh2';
import type { Keys } from '../../deploy/platform.ts';
import type { Caller } from '../commands/command.ts';

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
  const key = offeredKey(context);
  if (!key) return { answer: 'refuse', counts: true };
  if (!context.signature || !context.blob) return { answer: 'sign' };
  const signed = isSignedBy(key, context);
  const caller = keys.authenticate(context.key.data);
  if (!signed || !caller) return { answer: 'refuse', counts: true };
  return { answer: 'welcome', caller, key: Buffer.from(context.key.data) };
}

/** The key, if it is of a type that we verify; RSA only with SHA-2 (RFC 8332) and 2048 bits. */
function offeredKey({ key: { algo, data }, hashAlgo }: PublicKeyAuthContext): ParsedKey | undefined {
  if (data.length > 4096) return undefined;
  if (algo === 'ssh-rsa' && (hashAlgo === undefined || data.length < 270)) return undefined;
  if (!/^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521))$/.test(algo)) return undefined;
  const parsed = ssh2.utils.parseKey(`${algo} ${data.toString('base64')}`);
  if (parsed instanceof Error || Array.isArray(parsed) || parsed.type !== algo) return undefined;
  return parsed;
}

function isSignedBy(key: ParsedKey, { blob, signature, hashAlgo }: PublicKeyAuthContext): boolean {
  try {
    // Of @types/ssh2 1.15, which lack the third argument and the Error that is returned for bad input.
    const verify = key.verify as (data: Buffer, signature: Buffer, algorithm?: string) => boolean | Error;
    return verify.call(key, blob!, signature!, hashAlgo) === true;
  } catch {
    return false;
  }
}
