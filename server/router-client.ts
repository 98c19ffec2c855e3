import { setTimeout as delay } from 'node:timers/promises';
import { LineSplitter } from '../deploy/model/line-splitter.ts';
import { request } from './plain-http.ts';
import { RouteChanges } from './route-changes.ts';
import { parseLogLine } from './router/log-lines.ts';
import type { RouterLogLine, RouteTable } from './router/route-table.ts';
import type { TrafficCount } from './router/traffic.ts';

/** Control's side of the router's interface. The router may be away for a moment: calls wait until it is back. */
export class RouterClient {
  readonly #socketPath: string;
  readonly #changes = new RouteChanges();
  #latest: RouteTable | undefined;
  #sending: Promise<void> | undefined;

  constructor(options: { socketPath: string }) {
    this.#socketPath = options.socketPath;
  }

  /**
   * Resolves when the table, or one that was set after it, is in effect. Rejects if the router refuses it, or `signal` (for the
   * first of calls made at the same time) is aborted.
   */
  async setRoutes(table: RouteTable, signal?: AbortSignal): Promise<void> {
    this.#latest = table;
    // One that is on its way may carry an older table; the one after it carries the latest.
    let refusal: unknown;
    await this.#sending?.catch((error) => {
      refusal = error;
    });
    if (this.#latest === undefined) {
      if (refusal) throw refusal;
      return;
    }
    this.#sending ??= this.#sendLatest(signal).finally(() => {
      this.#sending = undefined;
    });
    await this.#sending;
  }

  /** Resolves when no request to these dynos is in flight, or the time is over; with how many there still are. */
  async drain(dynos: { address: string; port: number }[], timeoutMs: number): Promise<{ inFlight: number }> {
    const deadline = Date.now() + timeoutMs;
    for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      const left = Math.max(0, deadline - Date.now());
      try {
        const dynosOnly = dynos.map(({ address, port }) => ({ address, port }));
        return (await this.#call('POST', '/drain', { dynos: dynosOnly, timeout: left })) as {
          inFlight: number;
        };
      } catch (error) {
        // A router that died took its requests with it.
        if (error instanceof RouterRefusal) throw error;
        if (Date.now() + pause >= deadline) return { inFlight: 0 };
      }
      await delay(pause);
    }
  }

  /** What the router is busy with. */
  async inFlight(): Promise<{
    total: number;
    servers: { server: string; inFlight: number }[];
    droppedLogLines: number;
  }> {
    return (await this.#call('GET', '/in-flight')) as Awaited<ReturnType<RouterClient['inFlight']>>;
  }

  /**
   * Calls back for every line of the router's log until `signal` is aborted; connects again when the router was away. Lines that were
   * lost meanwhile are told as a number.
   */
  async followLogs(
    onLine: (line: RouterLogLine) => void,
    signal: AbortSignal,
    onDropped: (lines: number) => void = () => {},
  ): Promise<void> {
    await this.#followLines('/logs', signal, (text) => {
      const line = parseLogLine(text);
      if ('dropped' in line) onDropped(line.dropped);
      else onLine(line);
    });
  }

  /** Calls back for every request to a sleeping app until `signal` is aborted. */
  async followWakes(onWake: (app: string) => void, signal: AbortSignal): Promise<void> {
    await this.#followLines('/wakes', signal, (text) => onWake((JSON.parse(text) as { app: string }).app));
  }

  /** Calls back for what each app answered, every 10 s, until `signal` is aborted. */
  async followTraffic(onCount: (count: TrafficCount) => void, signal: AbortSignal): Promise<void> {
    await this.#followLines('/traffic', signal, (text) => onCount(JSON.parse(text) as TrafficCount));
  }

  async #followLines(path: string, signal: AbortSignal, onText: (text: string) => void): Promise<void> {
    let pause = FIRST_PAUSE;
    while (!signal.aborted) {
      try {
        await this.#readLines(path, signal, (text) => {
          pause = FIRST_PAUSE;
          onText(text);
        });
      } catch {
        // Not there: once more below.
      }
      await delay(pause, undefined, { signal }).catch(() => {});
      pause = Math.min(pause * 2, LONGEST_PAUSE);
    }
  }

  async #sendLatest(signal: AbortSignal | undefined): Promise<void> {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      signal?.throwIfAborted();
      const table = this.#latest!;
      try {
        await this.#send(table);
        if (this.#latest === table) this.#latest = undefined;
        return;
      } catch (error) {
        if (error instanceof RouterRefusal) {
          if (this.#latest === table) this.#latest = undefined;
          throw error;
        }
      }
      await delay(pause, undefined, signal ? { signal } : {});
    }
  }

  /** What the router does not have yet, or all if it has something else than we think. */
  async #send(table: RouteTable): Promise<void> {
    const { method, body, sent } = this.#changes.messageFor(table);
    this.#changes.forget();
    try {
      await this.#call(method, '/routes', body);
    } catch (error) {
      if (!(error instanceof RouterRefusal && error.status === STALE)) throw error;
      return this.#send(table);
    }
    this.#changes.taken(sent);
  }

  #call(method: string, path: string, body?: unknown): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = request({ socketPath: this.#socketPath, method, path, agent: false }, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (piece) => {
          text += piece;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) resolve(JSON.parse(text));
          else
            reject(
              new RouterRefusal(
                response.statusCode ?? 0,
                `The router refused ${method} ${path}: ${text.trim()}`,
              ),
            );
        });
      });
      call.on('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  #readLines(path: string, signal: AbortSignal, onText: (text: string) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const call = request({ socketPath: this.#socketPath, path, agent: false, signal }, (response) => {
        const lines = new LineSplitter();
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          for (const line of lines.push(piece)) onText(line);
        });
        response.on('error', reject);
        response.on('close', resolve);
      });
      call.on('error', reject);
      call.end();
    });
  }
}

/** The router understood, and said no: trying again would not help. */
export class RouterRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The table that was changed is not the router's. */
const STALE = 409;

const FIRST_PAUSE = 20;
const LONGEST_PAUSE = 1000;
