/** Whom the router lets through to an app, and how; what is not set is not there. */
export interface VisitorSettings {
  /** Addresses and CIDR of clients that may come in. */
  allow?: string[];
  /** Requests that one client may make in so much time, and how many at once. */
  rate?: { requests: number; milliseconds: number; burst: number };
  /** Names with a password (`scrypt:N:r:p:SALT:HASH`, as in password-hash.ts). */
  users?: { name: string; hash: string }[];
  /** A visitor stays with the dyno that answered first. */
  sticky?: true;
  /** HTML by status. */
  errorPages?: Record<string, string>;
}

/** What the router answers by itself, and may have a page of the app's own for. */
export const ERROR_PAGE_STATUSES = [401, 403, 429, 502, 503];
