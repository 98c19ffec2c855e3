export interface KeyView {
  /** The user whom the key names. */
  user: string;
  /** `SHA256:…` as ssh-keygen prints it. */
  fingerprint: string;
  comment: string;
  createdAt: Date;
  lastUsedAt: Date | undefined;
}

export interface Keys {
  list(): KeyView[];
  /** `publicKey` is one line as in authorized_keys. Throws `invalid` for what is no key, `conflict` for one that is there. */
  add(user: string, publicKey: string, by: string): KeyView;
  /** By fingerprint or by user name (all keys of that user). Ends their sessions. Throws `conflict` for the last key. */
  remove(fingerprintOrUser: string, by: string): KeyView[];
  /** The user and key of a public key blob (ssh wire format), if it may sign in. */
  authenticate(blob: Buffer): { user: string; fingerprint: string } | undefined;
  /** Notes that a signed sign-in with this key succeeded. */
  touch(fingerprint: string): void;
}

export interface Session {
  user: string;
  /** A value for forms of this session (second line of defence behind Sec-Fetch-Site / Origin). */
  csrf: string;
}

export interface Sessions {
  /** A one-use token, valid for five minutes, for `GET /login/<token>` on the dashboard. Stored hashed. */
  createLoginToken(user: string, fingerprint: string): string;
  /** Who would sign in; does not use the token up. */
  peekLoginToken(token: string): { user: string } | undefined;
  /** Uses the token up; returns the opaque session id for the cookie. */
  redeemLoginToken(token: string): { id: string; session: Session } | undefined;
  find(id: string): Session | undefined;
  end(id: string): void;
}
