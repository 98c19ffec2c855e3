import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex, Readable, Writable } from 'node:stream';
import type { Access } from '../containers/container-config.ts';
import { EngineError } from '../engine-error.ts';
import { parseJson } from './json-body.ts';

const MAX_BODY = 4 * 1024 * 1024;

/** One request and its answer, for the resources' handlers. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly access: Access;
  readonly query: URLSearchParams;
  /** From the route's pattern. */
  params: Record<string, string> = {};
  /** The minor version of the API that the client speaks. */
  version = 0;
  #signal: AbortSignal | undefined;
  readonly #response: ServerResponse;
  /** The bare connection, of a request that wants to be upgraded. */
  readonly #upgrade: { socket: Duplex; head: Buffer } | undefined;
  #upgraded = false;

  constructor(
    message: { request: IncomingMessage; response: ServerResponse; query: URLSearchParams; access: Access },
    upgrade?: { socket: Duplex; head: Buffer },
  ) {
    this.request = message.request;
    this.access = message.access;
    this.query = message.query;
    this.#response = message.response;
    this.#upgrade = upgrade;
  }

  /** Aborted when the client is gone. Made for those who ask, since most do not. */
  get signal(): AbortSignal {
    this.#signal ??= this.#abortedWhenGone();
    return this.#signal;
  }

  /** The head of the answer is out. */
  get answered(): boolean {
    return this.#upgraded || this.#response.headersSent;
  }

  flag(name: string): boolean {
    return ['1', 'true', 'True'].includes(this.query.get(name) ?? '');
  }

  /** A whole number in the query, or undefined. */
  number(name: string): number | undefined {
    const text = this.query.get(name);
    return text !== null && /^-?\d{1,9}$/.test(text) ? Number(text) : undefined;
  }

  /** The body; undefined if there is none. Throws `invalid`. */
  async json(): Promise<unknown> {
    const body = await readBody(this.request);
    return body.length === 0 ? undefined : parseJson(body.toString('utf8'));
  }

  /** Adds a header to the answer that is still to come. */
  header(name: string, value: string): void {
    this.#response.setHeader(name, value);
  }

  /** Answers with JSON, or with nothing. */
  send(status: number, body?: unknown): void {
    const text = body === undefined ? '' : `${JSON.stringify(body)}\n`;
    this.#response.statusCode = status;
    if (body !== undefined) this.#response.setHeader('Content-Type', 'application/json');
    if (status !== 204 && status !== 304) this.#response.setHeader('Content-Length', Buffer.byteLength(text));
    this.#response.end(this.request.method === 'HEAD' ? undefined : text);
  }

  sendText(status: number, text: string): void {
    this.#response.writeHead(status, {
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': Buffer.byteLength(text),
    });
    this.#response.end(this.request.method === 'HEAD' ? undefined : text);
  }

  /** Begins an answer that goes on; its head is sent at once. */
  stream(contentType: string): Writable {
    this.#response.writeHead(200, { 'Content-Type': contentType });
    this.#response.flushHeaders();
    this.#response.on('error', () => {});
    return this.#response;
  }

  /** Nothing more can be said: the client sees that the answer is not whole. */
  hangUp(): void {
    (this.#upgrade?.socket ?? this.request.socket).destroy();
  }

  #abortedWhenGone(): AbortSignal {
    const connection = this.#upgrade?.socket ?? this.#response;
    const controller = new AbortController();
    if (connection.closed || connection.destroyed) controller.abort();
    else connection.once('close', () => controller.abort());
    return controller.signal;
  }

  /** Makes the connection a two-way stream, as clients ask for by `Upgrade: tcp`; the others read the answer's body. */
  hijack(contentType: string): { input: Readable; output: Writable } {
    if (!this.#upgrade) return { input: this.request, output: this.stream(contentType) };
    return this.upgrade({ 'Content-Type': contentType, Upgrade: 'tcp' });
  }

  /** Answers a request that wants to be upgraded with 101 and these headers. Throws `invalid` for another. */
  upgrade(headers: Record<string, string>): { input: Readable; output: Writable } {
    if (!this.#upgrade) throw new EngineError('invalid', 'This needs a request with "Connection: Upgrade".');
    const { socket, head } = this.#upgrade;
    this.#upgraded = true;
    this.#response.detachSocket(socket as never);
    socket.on('error', () => {});
    const lines = Object.entries({ ...headers, Connection: 'Upgrade' }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    socket.write(`HTTP/1.1 101 UPGRADED\r\n${lines.join('')}\r\n`);
    if (head.length > 0) socket.unshift(head);
    return { input: socket, output: socket };
  }
}

/** Listeners, not an iterator, which takes as long as all the rest of reading a short body. */
function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const lose = (cause?: unknown) => {
      // An error takes longer to make than a request to read, and each request is closed at its end.
      if (request.readableEnded) return;
      reject(
        new EngineError('invalid', 'The connection was lost before the request was complete.', { cause }),
      );
    };
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= MAX_BODY) chunks.push(chunk);
      else reject(new EngineError('invalid', `The request body is larger than ${MAX_BODY} bytes.`));
      // The answer has been sent by then.
      if (length > 2 * MAX_BODY) request.destroy();
    });
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    request.once('error', lose);
    request.once('close', lose);
    if (request.destroyed) lose();
  });
}
