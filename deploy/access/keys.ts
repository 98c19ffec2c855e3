import { createHash } from 'node:crypto';
import type { Activity } from '../activity.ts';
import { quote } from '../model/app-name.ts';
import { PaasError } from '../model/paas-error.ts';
import type { Keys, KeyView } from '../platform/access.ts';
import type { AccessStore } from '../store/access-store.ts';

/** Key types that modern OpenSSH still signs with; ssh-dss and short RSA keys are refused. */
const TYPES = new Set([
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
]);

/** Public keys: who may come in, and as whom. */
export class SshKeys implements Keys {
  #store: AccessStore;
  #activity: Pick<Activity, 'record'>;

  constructor(store: AccessStore, activity: Pick<Activity, 'record'>) {
    this.#store = store;
    this.#activity = activity;
  }

  list(): KeyView[] {
    return this.#store.keys();
  }

  add(user: string, publicKey: string, by: string): KeyView {
    if (!/^[a-z0-9][a-z0-9._-]{0,31}$/.test(user)) {
      throw new PaasError(
        'invalid',
        `${quote(user)} is no user name: up to 32 lower-case letters, digits, dots, hyphens.`,
      );
    }
    const { blob, comment } = parsePublicKey(publicKey);
    const fingerprint = fingerprintOf(blob);
    const present = this.#store.key(fingerprint);
    if (present)
      throw new PaasError('conflict', `That key (${fingerprint}) is there already, for ${present.user}.`);
    this.#store.addKey({ fingerprint, user, blob, comment });
    this.#note(by, 'keys:add', `Key ${fingerprint} of ${user} added`);
    return this.#store.key(fingerprint)!;
  }

  remove(fingerprintOrUser: string, by: string): KeyView[] {
    const all = this.#store.keys();
    const removed = all.filter(
      (key) => key.fingerprint === fingerprintOrUser || key.user === fingerprintOrUser,
    );
    if (removed.length === 0) {
      throw new PaasError(
        'not_found',
        `No key has the fingerprint or user ${quote(fingerprintOrUser)}. \`paas keys\` lists them.`,
      );
    }
    if (removed.length === all.length) {
      throw new PaasError(
        'conflict',
        'That would remove the last key, and nobody could sign in. Add another one first.',
      );
    }
    for (const { fingerprint, user } of removed) {
      this.#store.removeKey(fingerprint);
      this.#note(by, 'keys:remove', `Key ${fingerprint} of ${user} removed`);
    }
    return removed;
  }

  authenticate(blob: Buffer): { user: string; fingerprint: string } | undefined {
    const fingerprint = fingerprintOf(blob);
    const key = this.#store.key(fingerprint);
    return key && { user: key.user, fingerprint };
  }

  touch(fingerprint: string): void {
    this.#store.touchKey(fingerprint);
  }

  #note(user: string, action: string, text: string): void {
    this.#activity.record({ user, app: undefined, action, text });
  }
}

/** One line as in authorized_keys, without options (sshd(8), AUTHORIZED_KEYS FILE FORMAT). Throws `invalid`. */
export function parsePublicKey(line: string): { type: string; blob: Buffer; comment: string } {
  const [type = '', base64 = '', ...comment] = line.trim().split(/\s+/);
  const blob = Buffer.from(base64, 'base64');
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  const inner = blob.subarray(4, 4 + length).toString('latin1');
  if (/PRIVATE KEY/.test(line)) {
    throw new PaasError(
      'invalid',
      'That is a private key: keep it to yourself, and give the public one (the file that ends in .pub).',
    );
  }
  if (
    line.trim().includes('\n') ||
    !TYPES.has(type) ||
    inner !== type ||
    base64.length > 4096 ||
    blob.length < 4 + length + 32
  ) {
    throw new PaasError(
      'invalid',
      'That is no public key: it should be one line like "ssh-ed25519 AAAA… name", as in ~/.ssh/id_ed25519.pub.',
    );
  }
  if (type === 'ssh-rsa' && blob.length < 270) {
    throw new PaasError(
      'invalid',
      'That RSA key has under 2048 bits. Make a new one with `ssh-keygen -t ed25519`.',
    );
  }
  return {
    type,
    blob,
    comment: comment
      .join(' ')
      .replace(/[^\x20-\x7e]/g, '?')
      .slice(0, 200),
  };
}

function fingerprintOf(blob: Buffer): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}
