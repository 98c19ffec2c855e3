import { createServer, type IncomingHttpHeaders, type RequestOptions, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseConfig } from '../../../server/config.ts';
import { createDashboard } from '../../../server/http/dashboard.ts';
import { MemoryPlatform } from './memory-platform.ts';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string>;
  /** Sent as a form. */
  form?: Record<string, string>;
}

/** A running dashboard on a platform kept in memory, and a visitor with a cookie jar. */
export class DashboardClient implements AsyncDisposable {
  readonly platform = new MemoryPlatform();
  readonly logged: string[] = [];
  readonly #server: Server;
  readonly #socketPath: string | undefined;
  readonly #underWay = new Set<string>();
  cookie = '';
  csrf = '';

  private constructor(socketPath?: string) {
    const log = (message: string, error?: unknown) => void this.logged.push(`${message} ${error}`);
    this.#server = createServer(createDashboard({ platform: this.platform, config: parseConfig({}), log }));
    this.#socketPath = socketPath;
    this.#server.on('request', (req, res) => {
      const entry = `${req.url} ${Math.random()}`;
      this.#underWay.add(entry);
      res.on('close', () => this.#underWay.delete(entry));
    });
  }

  /** On a free TCP port, or on a unix socket as behind the router. */
  static async start(socketPath?: string): Promise<DashboardClient> {
    const client = new DashboardClient(socketPath);
    await new Promise<void>((resolve) => {
      if (socketPath) client.#server.listen(socketPath, resolve);
      else client.#server.listen(0, '127.0.0.1', resolve);
    });
    return client;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async signIn(user = 'alice', headers: Record<string, string> = {}): Promise<void> {
    const token = this.platform.sessions.createLoginToken(user, 'SHA256:x');
    const answer = await this.ask(`/login/${token}`, { method: 'POST', headers });
    const [cookie = ''] = answer.headers['set-cookie'] ?? [];
    this.cookie = cookie.split(';')[0] ?? '';
    this.csrf = this.platform.sessions.find(this.cookie.split('=')[1] ?? '')?.csrf ?? '';
  }

  /** POSTs come from our own page and carry the session's token, unless told otherwise. */
  ask(path: string, { method = 'GET', headers = {}, form = {} }: Ask = {}): Promise<Answer> {
    const own = method === 'POST' ? { 'Sec-Fetch-Site': 'same-origin' } : {};
    const body = method === 'POST' ? new URLSearchParams({ csrf: this.csrf, ...form }).toString() : '';
    const type = method === 'POST' ? { 'Content-Type': 'application/x-www-form-urlencoded' } : {};
    const all = { ...own, ...type, ...(this.cookie && { Cookie: this.cookie }), ...headers };
    return this.#send({ path, method, headers: all }, body);
  }

  post(path: string, form: Record<string, string> = {}): Promise<Answer> {
    return this.ask(path, { method: 'POST', form });
  }

  /** Reads an event stream until `enough` is true of what came, or it ends. */
  stream(
    path: string,
    enough: (text: string) => boolean,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return this.#send({ path, headers: { Cookie: this.cookie, ...headers } }, '', enough);
  }

  #send(options: RequestOptions, body: string, enough?: (text: string) => boolean): Promise<Answer> {
    const where = this.#socketPath
      ? { socketPath: this.#socketPath }
      : { host: '127.0.0.1', port: this.port };
    return new Promise((resolve, reject) => {
      const req = request({ ...where, ...options, agent: false }, (res) => {
        let text = '';
        const done = () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text });
        res.setEncoding('utf8');
        res.on('data', (chunk) => {
          text += chunk;
          if (!enough?.(text)) return;
          done();
          req.destroy();
        });
        res.on('end', done);
        res.on('error', () => undefined);
      });
      req.on('error', reject);
      req.end(body);
    });
  }

  /** How many requests whose path contains `part` are not answered to the end. */
  connectionsFor(part: string): number {
    return [...this.#underWay].filter((entry) => entry.includes(part)).length;
  }

  /** As when the network breaks. */
  dropConnections(): void {
    this.#server.closeAllConnections();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
