import { connect, type Socket } from 'node:net';

/** An answer of the Engine API. */
export interface Answer {
  status: number;
  body: string;
}

/**
 * A client of the Engine API that costs little itself, since it shares the machine with what it measures: kept connections,
 * one request on each at a time, answers with a Content-Length or without a body only.
 */
export class EngineClient {
  readonly #path: string;
  readonly #idle: Connection[] = [];
  readonly #all: Connection[] = [];

  constructor(socketPath: string) {
    this.#path = socketPath;
  }

  /** Throws for an answer that is no success. */
  async request(method: string, path: string, body?: object): Promise<string> {
    const connection = this.#takeIdle() ?? this.#connect();
    const answer = await connection.request(method, path, body);
    this.#idle.push(connection);
    if (answer.status >= 400) throw new Error(`${method} ${path}: ${answer.status} ${answer.body}`);
    return answer.body;
  }

  /** Makes a container and starts it; returns its id when its main process runs. */
  async run(config: object): Promise<string> {
    const { Id } = JSON.parse(await this.request('POST', '/v1.41/containers/create', config));
    await this.request('POST', `/v1.41/containers/${Id}/start`);
    return Id;
  }

  async remove(id: string): Promise<void> {
    await this.request('DELETE', `/v1.41/containers/${id}?force=1`);
  }

  close(): void {
    for (const connection of this.#all) connection.close();
  }

  /** The engine closes a connection after a minute without a request. */
  #takeIdle(): Connection | undefined {
    let connection = this.#idle.pop();
    while (connection?.closed) connection = this.#idle.pop();
    return connection;
  }

  #connect(): Connection {
    const connection = new Connection(this.#path);
    this.#all.push(connection);
    return connection;
  }
}

class Connection {
  readonly #socket: Socket;
  #received = '';
  #waiter: PromiseWithResolvers<Answer> | undefined;

  get closed(): boolean {
    return this.#socket.destroyed || this.#socket.readableEnded;
  }

  constructor(path: string) {
    this.#socket = connect(path);
    this.#socket.setEncoding('utf8');
    this.#socket.on('data', (text) => this.#take(String(text)));
    this.#socket.on('error', (error) => this.#waiter?.reject(error));
    this.#socket.on('close', () => this.#waiter?.reject(new Error('The engine closed the connection.')));
  }

  request(method: string, path: string, body?: object): Promise<Answer> {
    const text = body ? JSON.stringify(body) : '';
    const type = body ? 'Content-Type: application/json\r\n' : '';
    this.#waiter = Promise.withResolvers();
    this.#socket.write(
      `${method} ${path} HTTP/1.1\r\nHost: engine\r\n${type}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`,
    );
    return this.#waiter.promise;
  }

  close(): void {
    this.#waiter = undefined;
    this.#socket.destroy();
  }

  #take(text: string): void {
    this.#received += text;
    const head = this.#received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = Number(/^content-length: (\d+)/im.exec(this.#received.slice(0, head))?.[1] ?? 0);
    const end = head + 4 + length;
    if (this.#received.length < end) return;
    const answer = { status: Number(this.#received.slice(9, 12)), body: this.#received.slice(head + 4, end) };
    this.#received = this.#received.slice(end);
    this.#waiter?.resolve(answer);
  }
}
