import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { findUser } from './system-user.ts';

/**
 * The public keys of the first admin, one per line: of the file PAAS_ADMIN_KEY, else of the sudo user, else of root (their own
 * id_*.pub, else those who may sign in as them). Empty: none found. Throws `invalid` for a file without a key.
 */
export function adminKeys(file: string | undefined, env: Record<string, string | undefined>): string {
  if (file) {
    const keys = keysIn(file);
    if (keys.length > 0) return keys.join('\n');
    const why = existsSync(file) ? 'holds no SSH public key' : 'is not there';
    throw new PaasError(
      'invalid',
      `PAAS_ADMIN_KEY: the file "${file}" ${why}. It should be like ~/.ssh/id_ed25519.pub.`,
    );
  }
  const homes = [env.SUDO_USER && findUser(env.SUDO_USER)?.home, '/root'].filter(
    (home) => home !== undefined && home !== '',
  );
  for (const home of homes as string[]) {
    const own = OWN_KEYS.flatMap((name) => keysIn(join(home, '.ssh', name)));
    const keys = own.length > 0 ? own : keysIn(join(home, '.ssh', 'authorized_keys'));
    if (keys.length > 0) return keys.join('\n');
  }
  return '';
}

/** Lines of a public key file (sshd(8), AUTHORIZED_KEYS), without those with options: they are meant for something restricted. */
export function parsePublicKeys(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) =>
      /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp\d+|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( |$)/.test(line),
    );
}

const OWN_KEYS = ['id_ed25519.pub', 'id_ecdsa.pub', 'id_rsa.pub'];

function keysIn(file: string): string[] {
  return existsSync(file) ? parsePublicKeys(readFileSync(file, 'utf8')) : [];
}
