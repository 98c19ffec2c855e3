import { randomFillSync } from 'node:crypto';
import type { SecureContext } from 'node:tls';

/** What OpenSSL asks when it makes a ticket, or gets one (SSL_CTX_set_tlsext_ticket_key_cb(3)): what to do, and the keys for it. */
type TicketCallback = (
  name: Buffer,
  iv: Buffer,
  encrypt: boolean,
) => [answer: number, hmac: Buffer, aes: Buffer, name?: Buffer, iv?: Buffer];

interface TicketContext {
  enableTicketKeyCallback(): void;
  onticketkeycallback: TicketCallback;
}

/**
 * Has each session that resumes bring the ticket for the next one. Clients use one once (RFC 8446, C.4), and Node by itself gives none to
 * a session that was resumed: every second or third connection would be a whole handshake. `keys`: name, HMAC key and AES key, 16 bytes
 * each, as the option `ticketKeys` has them.
 */
export function renewTickets(context: SecureContext, keys: Buffer): void {
  const own = context.context as TicketContext;
  const [name, hmac, aes] = [0, 1, 2].map((i) => keys.subarray(i * PART, (i + 1) * PART)) as Buffer[];
  const random = new RandomParts();
  own.onticketkeycallback = (given, _iv, encrypt) => {
    if (encrypt) return [MADE, hmac!, aes!, name!, random.next()];
    return [given.equals(name!) ? RENEW : UNKNOWN, hmac!, aes!];
  };
  own.enableTicketKeyCallback();
}

/** Random bytes, made by the hundred parts. */
class RandomParts {
  readonly #bytes = Buffer.alloc(PART * 128);
  #used = this.#bytes.length;

  next(): Buffer {
    if (this.#used === this.#bytes.length) {
      randomFillSync(this.#bytes);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += PART;
    return this.#bytes.subarray(start, this.#used);
  }
}

const PART = 16;
const UNKNOWN = 0;
const MADE = 1;
const RENEW = 2;
