import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';
import { AcmeError, acmeError } from './acme-error.ts';
import type { AcmeAnswer, AcmeTransport } from './acme-transport.ts';

/** RFC 8555, 7.1.3 */
export interface AcmeOrder {
  url: string;
  status: 'pending' | 'ready' | 'processing' | 'valid' | 'invalid';
  authorizations: string[];
  finalize: string;
  certificate: string | undefined;
  document: Record<string, unknown>;
  retryAfter: Date | undefined;
}

/** RFC 8555, 7.1.4 */
export interface AcmeAuthorization {
  status: string;
  challenges: (Record<string, unknown> & { type: string; url: string; token: string; status: string })[];
  retryAfter: Date | undefined;
}

export interface AcmeClientOptions {
  directory: string;
  email: string;
  /** ECDSA on P-256. */
  accountKey: KeyObject;
  /** undefined: there is no account yet. */
  accountUrl: string | undefined;
  onAccount: (url: string) => void;
  transport: AcmeTransport;
  signal: AbortSignal;
}

interface Directory {
  newNonce: string;
  newAccount: string;
  newOrder: string;
}

/** Speaks ACME (RFC 8555) with a certificate authority. Every method throws AcmeError. */
export class AcmeClient {
  #options: AcmeClientOptions;
  #account: string | undefined;
  #directory: Promise<Directory> | undefined;
  #nonces: string[] = [];

  constructor(options: AcmeClientOptions) {
    this.#options = options;
    this.#account = options.accountUrl;
  }

  /** Makes the account where there is none. Asks for nothing twice. */
  async newOrder(hosts: string[]): Promise<AcmeOrder> {
    const identifiers = hosts.map((value) => ({ type: 'dns', value }));
    const { newOrder } = await this.#urls();
    const answer = await this.#asAccount(newOrder, { identifiers });
    return toOrder(answer, locationOf(answer));
  }

  async order(url: string): Promise<AcmeOrder> {
    return toOrder(await this.#asAccount(url, ''), url);
  }

  async finalize(order: AcmeOrder, request: Buffer): Promise<AcmeOrder> {
    const answer = await this.#asAccount(order.finalize, { csr: request.toString('base64url') });
    return toOrder(answer, order.url);
  }

  async authorization(url: string): Promise<AcmeAuthorization> {
    const answer = await this.#asAccount(url, '');
    const { status, challenges } = objectOf(answer);
    if (typeof status !== 'string' || !Array.isArray(challenges)) throw malformed('authorization');
    const known = challenges.filter(
      (one) => typeof one?.type === 'string' && typeof one.url === 'string' && isToken(one.token),
    );
    return { status, challenges: known, retryAfter: answer.retryAfter };
  }

  /** Says that a challenge can be looked at. */
  async begin(challenge: { url: string }): Promise<void> {
    await this.#asAccount(challenge.url, {});
  }

  /** PEM, the host's own first. */
  async certificate(url: string): Promise<string> {
    return (await this.#asAccount(url, '')).body;
  }

  /** The proof for a token (RFC 8555, 8.1). */
  keyAuthorization(token: string): string {
    return `${token}.${createHash('sha256').update(JSON.stringify(this.#publicKey())).digest('base64url')}`;
  }

  /** An account that the authority does not know any more is made again. */
  async #asAccount(url: string, payload: unknown): Promise<AcmeAnswer> {
    const account = this.#account ?? (await this.#newAccount());
    try {
      return await this.#post(url, payload, { kid: account });
    } catch (error) {
      if (!(error instanceof AcmeError) || error.type !== 'accountDoesNotExist') throw error;
      return this.#post(url, payload, { kid: await this.#newAccount() });
    }
  }

  /** The authority answers with the present one where the key has one. */
  async #newAccount(): Promise<string> {
    const { newAccount } = await this.#urls();
    const payload = { termsOfServiceAgreed: true, contact: [`mailto:${this.#options.email}`] };
    const answer = await this.#post(newAccount, payload, { jwk: this.#publicKey() });
    this.#account = locationOf(answer);
    this.#options.onAccount(this.#account);
    return this.#account;
  }

  /** Signed (RFC 7515); `payload` '': a POST that only reads (RFC 8555, 6.3). A nonce that has become old is replaced. */
  async #post(url: string, payload: unknown, identity: object): Promise<AcmeAnswer> {
    for (let tries = 1; ; tries += 1) {
      const header = { alg: 'ES256', nonce: await this.#nonce(), url, ...identity };
      const answer = await this.#send('POST', url, this.#signed(header, payload));
      if (answer.status < 300) return answer;
      const error = acmeError(answer.status, answer.body, answer.retryAfter);
      if (error.type !== 'badNonce' || tries === MAX_TRIES) throw error;
    }
  }

  #signed(header: object, payload: unknown) {
    const encode = (text: string) => Buffer.from(text).toString('base64url');
    const body = payload === '' ? '' : encode(JSON.stringify(payload));
    const head = encode(JSON.stringify(header));
    const key = { key: this.#options.accountKey, dsaEncoding: 'ieee-p1363' as const };
    const signature = sign('sha256', Buffer.from(`${head}.${body}`), key).toString('base64url');
    return { protected: head, payload: body, signature };
  }

  async #nonce(): Promise<string> {
    const kept = this.#nonces.pop();
    if (kept !== undefined) return kept;
    const answer = await this.#send('HEAD', (await this.#urls()).newNonce);
    if (answer.status >= 300) throw acmeError(answer.status, answer.body, answer.retryAfter);
    const nonce = this.#nonces.pop();
    if (nonce === undefined) throw malformed('nonce');
    return nonce;
  }

  #urls(): Promise<Directory> {
    this.#directory ??= this.#readDirectory().catch((error) => {
      this.#directory = undefined;
      throw error;
    });
    return this.#directory;
  }

  async #readDirectory(): Promise<Directory> {
    const answer = await this.#send('GET', this.#options.directory);
    if (answer.status >= 300) throw acmeError(answer.status, answer.body, answer.retryAfter);
    const directory = objectOf(answer);
    for (const name of ['newNonce', 'newAccount', 'newOrder'])
      if (typeof directory[name] !== 'string') throw malformed('directory');
    return directory as unknown as Directory;
  }

  async #send(method: 'GET' | 'HEAD' | 'POST', url: string, json?: unknown): Promise<AcmeAnswer> {
    const { transport, signal } = this.#options;
    const answer = await transport(method, url, { json, signal });
    const nonce = answer.headers['replay-nonce'];
    if (nonce !== undefined && /^[A-Za-z0-9_-]{1,200}$/.test(nonce) && this.#nonces.length < 20)
      this.#nonces.push(nonce);
    return answer;
  }

  /** As a JWK with its members in order (RFC 7638, 3). */
  #publicKey() {
    const { crv, kty, x, y } = createPublicKey(this.#options.accountKey).export({ format: 'jwk' });
    return { crv, kty, x, y };
  }
}

const MAX_TRIES = 8;
const TOKEN = /^[A-Za-z0-9_-]{1,200}$/;

function isToken(value: unknown): boolean {
  return typeof value === 'string' && TOKEN.test(value);
}

function toOrder(answer: AcmeAnswer, url: string): AcmeOrder {
  const document = objectOf(answer);
  const { status, authorizations, finalize, certificate } = document;
  const isList = Array.isArray(authorizations) && authorizations.every((one) => typeof one === 'string');
  if (typeof status !== 'string' || typeof finalize !== 'string' || !isList) throw malformed('order');
  return {
    url,
    status: status as AcmeOrder['status'],
    authorizations,
    finalize,
    certificate: typeof certificate === 'string' ? certificate : undefined,
    document,
    retryAfter: answer.retryAfter,
  };
}

function objectOf({ body }: AcmeAnswer): Record<string, unknown> {
  try {
    const value = JSON.parse(body);
    if (typeof value === 'object' && value !== null) return value;
  } catch {}
  throw malformed('answer');
}

function locationOf({ headers }: AcmeAnswer): string {
  if (headers.location) return headers.location;
  throw malformed('answer');
}

function malformed(what: string): AcmeError {
  return new AcmeError('malformed', `The certificate authority sent a malformed ${what}.`);
}
