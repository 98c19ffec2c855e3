import ssh2 from 'ssh2';

/**
 * A new ed25519 key pair in OpenSSH's format. ssh2 1.17 cuts leading zero bytes off, so that about three in a thousand
 * of its keys cannot be read again, by itself or by OpenSSH: those are thrown away.
 */
export function makeKeyPair(comment: string): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
    if (isReadable(pair.private) && isReadable(pair.public)) return pair;
  }
}

/** The public half in ssh's wire format is 51 bytes: a length and `ssh-ed25519`, a length and 32 bytes (RFC 8709, 4). */
function isReadable(text: string): boolean {
  const key = ssh2.utils.parseKey(text);
  return !(key instanceof Error) && key.getPublicSSH().length === 51;
}
