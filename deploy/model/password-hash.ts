import { randomBytes, scrypt } from 'node:crypto';

/** `scrypt:N:r:p:SALT:HASH`, salt and hash in base64url (RFC 7914): what the router checks a password by. Takes some 40 ms. */
export function passwordHash(password: string): Promise<string> {
  const salt = randomBytes(16);
  return new Promise((resolve, reject) => {
    scrypt(password, salt, HASH_BYTES, { cost: COST, blockSize: 8, parallelization: 1 }, (error, hash) => {
      if (error) reject(error);
      else resolve(`scrypt:${COST}:8:1:${salt.toString('base64url')}:${hash.toString('base64url')}`);
    });
  });
}

const COST = 16_384;
const HASH_BYTES = 32;
