import { createHash, randomBytes } from 'node:crypto';
import type { Session, Sessions } from '../platform/access.ts';
import type { AccessStore } from '../store/access-store.ts';

const TOKEN_LIFE = 5 * 60_000;
const SESSION_LIFE = 14 * 86_400_000;

/** Dashboard sign-ins: a one-use link bound to a key, then an opaque session that ends with the key. */
export class DashboardSessions implements Sessions {
  #store: AccessStore;

  constructor(store: AccessStore) {
    this.#store = store;
  }

  createLoginToken(_user: string, fingerprint: string): string {
    const token = randomToken();
    this.#store.addLoginToken(hash(token), fingerprint, Date.now() + TOKEN_LIFE);
    return token;
  }

  peekLoginToken(token: string): { user: string } | undefined {
    const found = this.#store.loginToken(hash(token));
    return found && { user: found.user };
  }

  redeemLoginToken(token: string): { id: string; session: Session } | undefined {
    const found = this.#store.loginToken(hash(token));
    if (!found || !this.#store.removeLoginToken(hash(token))) return undefined;
    const id = randomToken();
    const csrf = randomToken();
    this.#store.addSession({
      hash: hash(id),
      fingerprint: found.fingerprint,
      csrf,
      expiresAt: Date.now() + SESSION_LIFE,
    });
    return { id, session: { user: found.user, csrf } };
  }

  find(id: string): Session | undefined {
    return this.#store.session(hash(id));
  }

  end(id: string): void {
    this.#store.removeSession(hash(id));
  }
}

function randomToken(): string {
  return randomBytes(32).toString('base64url');
}

function hash(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
