import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Writable } from 'node:stream';
import { defaultLimits, type Limits } from '../../../server/router/limits.ts';
import { ProxyServer } from '../../../server/router/proxy-server.ts';
import { RouteMap } from '../../../server/router/route-map.ts';
import type { AppRoute, RouteTable } from '../../../server/router/route-table.ts';
import { RouterLog } from '../../../server/router/router-log.ts';

/** A router in this process, on a free port of loopback. */
export class TestRouter {
  readonly routes = new RouteMap({ maxIdle: 64 });
  readonly #server: ProxyServer;
  readonly lines: string[] = [];
  port = 0;
  /** Where HTTPS is spoken, after listenTls(). */
  tlsPort = 0;

  private constructor(limits: Partial<Limits>) {
    const log = new RouterLog();
    log.follow(new Collector(this.lines));
    this.#server = new ProxyServer({ routes: this.routes, log, limits: { ...defaultLimits, ...limits } });
  }

  static async start(limits: Partial<Limits> = {}): Promise<TestRouter> {
    const router = new TestRouter({
      sweep: 20,
      linger: 300,
      farewell: 0,
      shutdown: 1000,
      ...limits,
    });
    router.port = (await router.#server.listen({ host: '127.0.0.1', port: 0 })).port;
    return router;
  }

  async listenTls(): Promise<void> {
    this.tlsPort = (await this.#server.listen({ host: '127.0.0.1', port: 0 }, 'https')).port;
  }

  get connections(): number {
    return this.#server.connections;
  }

  /** One app, `app.localhost`, with these dynos. */
  serve(ports: number[], options: Partial<AppRoute> & { dashboard?: string } = {}): void {
    this.routes.swap(tableOf(ports, options));
  }

  /** The log line that matches, when it comes. */
  async line(pattern: RegExp): Promise<string> {
    return eventually(() => this.lines.find((line) => pattern.test(line)), `log line ${pattern}`);
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }
}

export function tableOf(
  ports: number[],
  options: Partial<AppRoute> & { dashboard?: string } = {},
): RouteTable {
  const { dashboard = '/nowhere/dashboard.sock', ...app } = options;
  const dynos = ports.map((port, i) => ({ name: `web.${i + 1}`, address: '127.0.0.1', port }));
  return {
    dashboard: { host: 'paas.localhost', socketPath: dashboard },
    apps: [{ app: 'app', hosts: ['app.localhost'], state: 'up', dynos, ...app }],
  };
}

/** A server below HTTP: keeps every byte that it gets, and answers with what it is told. */
export class RawBackend {
  readonly #server: Server;
  /** One entry a connection. */
  readonly received: string[] = [];
  readonly sockets: Socket[] = [];
  port = 0;

  /** `answer` is called with all that a connection has received so far, whenever something comes. */
  private constructor(answer: (socket: Socket, text: string, connection: number) => void) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const connection = this.received.push('') - 1;
      this.sockets.push(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('end', () => socket.end());
      socket.on('data', (chunk) => {
        this.received[connection] += chunk.toString('latin1');
        answer(socket, this.received[connection]!, connection);
      });
    });
  }

  static async start(
    answer: (socket: Socket, text: string, connection: number) => void = answerEach,
  ): Promise<RawBackend> {
    const backend = new RawBackend(answer);
    backend.#server.listen(0, '127.0.0.1');
    await once(backend.#server, 'listening');
    backend.port = (backend.#server.address() as AddressInfo).port;
    return backend;
  }

  get all(): string {
    return this.received.join('');
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    if (this.#server.listening) {
      this.#server.close();
      await once(this.#server, 'close');
    }
  }
}

/** Answers `ok` to whatever ends in an empty line, on a connection that stays. */
export function answerEach(socket: Socket, text: string): void {
  if (text.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
}

/** Sends bytes as they are; returns all that comes until the other side closes. */
export async function sendRaw(
  port: number,
  text: string | string[],
  options: { pause?: number; end?: boolean } = {},
): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let answer = '';
  socket.setEncoding('latin1');
  socket.on('data', (piece) => {
    answer += piece;
  });
  socket.on('error', () => {});
  socket.on('end', () => socket.end());
  const closed = once(socket, 'close');
  for (const piece of [text].flat()) {
    socket.write(piece, 'latin1');
    if (options.pause) await delay(options.pause);
  }
  if (options.end) socket.end();
  await closed;
  return answer;
}

/** An open connection to talk over. */
export class RawClient {
  readonly socket: Socket;
  received = '';

  private constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.setEncoding('latin1');
    this.socket.on('error', () => {});
    this.socket.on('data', (piece: string) => {
      this.received += piece;
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const client = new RawClient(port);
    await once(client.socket, 'connect');
    return client;
  }

  send(text: string): void {
    this.socket.write(text, 'latin1');
  }

  /** Waits until what came matches. */
  async until(pattern: RegExp): Promise<string> {
    await eventually(() => pattern.test(this.received) || undefined, `${pattern} in: ${this.received}`);
    return this.received;
  }

  async closed(): Promise<string> {
    if (!this.socket.closed) await once(this.socket, 'close');
    return this.received;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Resolves when the socket is closed, be it already. */
export async function closing(socket: Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close');
}

export async function eventually<T>(probe: () => T | undefined, what: string, timeout = 20_000): Promise<T> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const found = probe();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(5);
  }
}

export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A port where nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

class Collector extends Writable {
  readonly #lines: string[];

  constructor(lines: string[]) {
    super({ decodeStrings: false });
    this.#lines = lines;
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    for (const line of String(chunk).split('\n')) {
      if (line) this.#lines.push(line.split(' ').slice(2).join(' '));
    }
    done();
  }
}
