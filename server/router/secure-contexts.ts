import type { SecureContext } from 'node:tls';
import { renewTickets } from './session-tickets.ts';
import type { TicketKeys } from './ticket-keys.ts';

/** PEM: a certificate with its chain, and its key. */
export interface CertificatePair {
  chain: string;
  key: string;
}

/** OpenSSL's side of certificates, made when one is asked for first; those used last are kept, over changes of the routes too. */
export class SecureContexts {
  readonly #ticketKeys: TicketKeys;
  #ticketKeysUsed: Buffer | undefined;
  /** Of the pairs that were asked for: putting it together and finding it anew for each connection would take as long as some system calls. */
  readonly #ids = new WeakMap<CertificatePair, string>();
  /** By the pair's text; the one used last is at the end. undefined: cannot be used. */
  readonly #made = new Map<string, SecureContext | undefined>();

  constructor(ticketKeys: TicketKeys) {
    this.#ticketKeys = ticketKeys;
  }

  /** undefined: the pair is of no use; the first time a line in the log says why. `host`: for that line. */
  get(pair: CertificatePair, host: string): SecureContext | undefined {
    const ticketKeys = this.#ticketKeys.current();
    if (ticketKeys !== this.#ticketKeysUsed) this.#made.clear();
    this.#ticketKeysUsed = ticketKeys;
    const id = this.#idOf(pair);
    const known = this.#made.get(id);
    if (known || this.#made.has(id)) {
      this.#made.delete(id);
      this.#made.set(id, known);
      return known;
    }
    const context = makeContext(pair, host, ticketKeys);
    this.#made.set(id, context);
    if (this.#made.size > KEPT) this.#made.delete(this.#made.keys().next().value!);
    return context;
  }

  #idOf(pair: CertificatePair): string {
    const known = this.#ids.get(pair);
    if (known !== undefined) return known;
    const id = pair.key + pair.chain;
    this.#ids.set(pair, id);
    return id;
  }
}

function makeContext(
  { chain, key }: CertificatePair,
  host: string,
  ticketKeys: Buffer,
): SecureContext | undefined {
  // Loaded when it is needed: an import statement would cost every router its memory.
  const { createSecureContext } = process.getBuiltinModule('node:tls');
  try {
    const context = createSecureContext({
      cert: chain,
      key,
      // Nobody is asked for a certificate: the system's authorities would only cost memory.
      ca: [],
      minVersion: 'TLSv1.2',
      ciphers: CIPHERS,
      honorCipherOrder: true,
      secureOptions: NO_RENEGOTIATION,
      sessionIdContext: 'paas',
      sessionTimeout: SESSION_SECONDS,
    });
    renewTickets(context, ticketKeys);
    return context;
  } catch (error) {
    console.error(`router: the certificate of "${host}" cannot be used: ${(error as Error).message}`);
    return undefined;
  }
}

const KEPT = 1000;
const SESSION_SECONDS = 12 * 3600;
/** SSL_OP_NO_RENEGOTIATION (openssl/ssl.h): Node has no name for it. */
const NO_RENEGOTIATION = 1 << 30;
/** TLS 1.3, and of TLS 1.2 what has forward secrecy and authenticates what it encrypts (RFC 9325, 4.2). */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');
