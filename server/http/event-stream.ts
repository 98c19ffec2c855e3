import { once } from 'node:events';
import type { Request, Response } from 'express';

export interface ServerEvent {
  /** Comes back as Last-Event-ID; no newlines. */
  id?: string;
  event?: string;
  data: string;
}

const HEARTBEAT_SECONDS = 15;
const MOST_PER_SESSION = 24;

/**
 * The open event streams of all visitors: keeps them alive, and ends them with their session, be it by sign-out,
 * by its age or because its key was removed.
 */
export class EventStreams {
  readonly #isSession: (id: string) => boolean;
  #open = new Set<EventStream>();
  #timer: NodeJS.Timeout | undefined;
  #seconds = 0;

  constructor(isSession: (id: string) => boolean) {
    this.#isSession = isSession;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Answers with an event stream. Beyond the most that one session may hold, its oldest one ends. */
  open(sessionId: string, { req, res }: { req: Request; res: Response }): EventStream {
    const own = [...this.#open].filter((stream) => stream.sessionId === sessionId);
    if (own.length >= MOST_PER_SESSION) own[0]?.end();
    const stream = new EventStream(sessionId, { req, res });
    this.#open.add(stream);
    stream.signal.addEventListener('abort', () => this.#remove(stream));
    this.#timer ??= setInterval(() => this.#tick(), 1000);
    return stream;
  }

  endSession(sessionId: string): void {
    for (const stream of [...this.#open]) {
      if (stream.sessionId === sessionId) stream.end();
    }
  }

  #remove(stream: EventStream): void {
    this.#open.delete(stream);
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    this.#seconds++;
    for (const sessionId of new Set([...this.#open].map((stream) => stream.sessionId))) {
      if (!this.#isSession(sessionId)) this.endSession(sessionId);
    }
    if (this.#seconds % HEARTBEAT_SECONDS === 0) {
      for (const stream of this.#open) stream.beat();
    }
  }
}

/** One answer of type text/event-stream (WHATWG HTML, 9.2). */
export class EventStream {
  readonly sessionId: string;
  /** What the visitor saw last before the connection broke. */
  readonly lastEventId: string | undefined;
  /** Aborts when the visitor left or the stream was ended. */
  readonly signal: AbortSignal;
  readonly #res: Response;
  readonly #gone = new AbortController();

  constructor(sessionId: string, { req, res }: { req: Request; res: Response }) {
    this.sessionId = sessionId;
    this.lastEventId = req.get('Last-Event-ID') || undefined;
    this.signal = this.#gone.signal;
    this.#res = res;
    res.status(200).set({ 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' });
    res.flushHeaders();
    res.on('close', () => this.#gone.abort());
    if (req.method === 'HEAD') this.end();
  }

  /** Resolves when the visitor can take more. */
  async send({ id, event, data }: ServerEvent): Promise<void> {
    if (this.signal.aborted) return;
    const lines = [
      ...(id === undefined ? [] : [`id: ${id}`]),
      ...(event === undefined ? [] : [`event: ${event}`]),
      ...data.split(/\r\n|\r|\n/).map((line) => `data: ${line}`),
    ];
    if (!this.#res.write(`${lines.join('\n')}\n\n`)) {
      await once(this.#res, 'drain', { signal: this.signal }).catch(() => undefined);
    }
  }

  /** A comment, so that neither router nor browser takes a quiet stream for a dead one. */
  beat(): void {
    if (!this.signal.aborted) this.#res.write(': \n\n');
  }

  end(): void {
    this.#res.end();
    this.#gone.abort();
  }
}
