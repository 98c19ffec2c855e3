import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request as it arrived behind a proxy. */
export interface SeenRequest {
  method: string;
  target: string;
  host: string;
  body: string;
  /** All of its body came. */
  complete: boolean;
}

/**
 * The app: a server that is as lenient as Node's can be, so that it reads more into the bytes than it should. It keeps what it saw, by
 * the id in the target, and every byte that came.
 */
export class RecordingBackend {
  readonly #server: Server;
  readonly #seen = new Map<string, SeenRequest[]>();
  /** What came on each connection, one character a byte. */
  readonly streams: { text: string }[] = [];
  /** Requests whose id was changed on the way here, or in the case itself. */
  readonly strays: SeenRequest[] = [];
  port = 0;

  private constructor() {
    this.#server = createServer(
      { insecureHTTPParser: true, keepAliveTimeout: 60_000 },
      async (request, response) => {
        const seen: SeenRequest = {
          method: request.method!,
          target: request.url!,
          host: request.headers.host ?? '',
          body: '',
          complete: false,
        };
        this.#note(seen);
        request.setEncoding('latin1');
        request.on('error', () => {});
        request.on('data', (piece) => {
          seen.body += piece;
        });
        request.on('end', () => {
          seen.complete = true;
          response.setHeader('Content-Length', String(seen.target.length));
          response.end(request.method === 'HEAD' ? undefined : seen.target);
        });
      },
    );
    this.#server.on('clientError', (_, socket) => socket.destroy());
    this.#server.on('connection', (socket) => {
      const stream = { text: '' };
      this.streams.push(stream);
      socket.on('data', (chunk: Buffer) => {
        stream.text += chunk.toString('latin1');
      });
    });
  }

  static async start(): Promise<RecordingBackend> {
    const backend = new RecordingBackend();
    backend.#server.listen(0, '127.0.0.1');
    await once(backend.#server, 'listening');
    backend.port = (backend.#server.address() as AddressInfo).port;
    return backend;
  }

  /** From now on requests with this id are kept apart. */
  expect(id: string): void {
    this.#seen.set(id, []);
  }

  /** What was seen of a case; it is forgotten then. */
  take(id: string): SeenRequest[] {
    const seen = this.#seen.get(id) ?? [];
    this.#seen.delete(id);
    return seen;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #note(seen: SeenRequest): void {
    const id = /c[0-9a-f]{12}c/.exec(seen.target)?.[0] ?? '';
    (this.#seen.get(id) ?? this.strays).push(seen);
  }
}
