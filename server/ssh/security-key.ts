import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';

/** A key in a FIDO token, which ssh2 does not know (OpenSSH's PROTOCOL.u2f). */
export interface SecurityKey {
  key: KeyObject;
  kind: 'ed25519' | 'ecdsa';
  /** What the key was made for, usually `ssh:`. */
  application: Buffer;
}

/** Reads the blob of an `sk-…@openssh.com` key; undefined for anything else. */
export function parseSecurityKey(algorithm: string, blob: Buffer): SecurityKey | undefined {
  const fields = readStrings(blob);
  if (!fields || fields[0]?.toString('latin1') !== algorithm) return undefined;
  if (algorithm === 'sk-ssh-ed25519@openssh.com' && fields.length === 3 && fields[1]!.length === 32) {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: fields[1]!.toString('base64url') };
    return makeKey(jwk, { kind: 'ed25519', application: fields[2]! });
  }
  const point = fields[2];
  const named = algorithm === 'sk-ecdsa-sha2-nistp256@openssh.com' && fields.length === 4;
  if (!named || fields[1]!.toString() !== 'nistp256' || point?.length !== 65 || point[0] !== 4)
    return undefined;
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString('base64url'));
  return makeKey({ kty: 'EC', crv: 'P-256', x, y }, { kind: 'ecdsa', application: fields[3]! });
}

/**
 * True where the token signed `message` and its owner touched it. `signature`: the bare signature, then a byte of flags and a
 * counter of four bytes, as ssh2 leaves them when it has cut off what it takes for the head.
 */
export function isSignedBySecurityKey(security: SecurityKey, message: Buffer, signature: Buffer): boolean {
  if (signature.length < 5) return false;
  const tail = signature.subarray(-5);
  const touched = (tail[0]! & 1) === 1;
  const signed = Buffer.concat([sha256(security.application), tail, sha256(message)]);
  const bare = signature.subarray(0, -5);
  if (security.kind === 'ed25519')
    return bare.length === 64 && verify(null, signed, security.key, bare) && touched;
  const [r, s, ...more] = readStrings(bare) ?? [];
  if (!r || !s || more.length > 0) return false;
  const plain = Buffer.concat([fixedLength(r), fixedLength(s)]);
  return verify('sha256', signed, { key: security.key, dsaEncoding: 'ieee-p1363' }, plain) && touched;
}

function makeKey(jwk: object, rest: Omit<SecurityKey, 'key'>): SecurityKey | undefined {
  try {
    return { key: createPublicKey({ key: jwk as never, format: 'jwk' }), ...rest };
  } catch {
    return undefined; // a point that is not on the curve
  }
}

/** All strings (RFC 4251 section 5) of a buffer; undefined where it does not end with one. */
function readStrings(buffer: Buffer): Buffer[] | undefined {
  const strings: Buffer[] = [];
  let start = 0;
  while (start < buffer.length) {
    if (start + 4 > buffer.length) return undefined;
    const end = start + 4 + buffer.readUInt32BE(start);
    if (end > buffer.length) return undefined;
    strings.push(buffer.subarray(start + 4, end));
    start = end;
  }
  return strings;
}

/** A number of at most 32 bytes, without its sign byte and with its leading zeros. */
function fixedLength(number: Buffer): Buffer {
  const bare = number.length === 33 && number[0] === 0 ? number.subarray(1) : number;
  return bare.length > 32 ? Buffer.alloc(32) : Buffer.concat([Buffer.alloc(32 - bare.length), bare]);
}

function sha256(data: Buffer): Buffer {
  return createHash('sha256').update(data).digest();
}
