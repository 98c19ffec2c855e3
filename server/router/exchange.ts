import { FramingError, UNTIL_CLOSE } from './body-framing.ts';
import type { ClientConnection, ClientUser, RouterContext } from './client-connection.ts';
import {
  type Answer,
  appError,
  dashboardAway,
  type ErrorCode,
  formatAnswer,
  refusal,
  routerErrors,
  unknownHost,
} from './error-page.ts';
import { formatRequestHead, formatResponseHead, forwardedForOf, requestIdOf } from './forwarding.ts';
import { RequestBody } from './request-body.ts';
import type { RequestHead } from './request-head.ts';
import { BadResponse, parseResponseHead, type ResponseHead } from './response-head.ts';
import { ResponseRelay } from './response-relay.ts';
import { type App, pickDyno } from './route-map.ts';
import { formatOutcome } from './router-log.ts';
import { Tunnel } from './tunnel.ts';
import type { UpstreamConnection, UpstreamPool, UpstreamUser } from './upstream-pool.ts';

/**
 * One request and its response:
 *
 *   routing ──► connecting ──► sent ──► relaying ──► over
 *      ▲  │         │           │ └───► tunnel
 *      │  ▼         │           │
 *    waiting ◄──────┴───────────┘  no dyno yet; connection refused; a kept connection turned out closed
 */
export class Exchange implements ClientUser, UpstreamUser {
  readonly #router: RouterContext;
  readonly #client: ClientConnection;
  readonly #head: RequestHead;
  #phase: 'routing' | 'waiting' | 'connecting' | 'sent' | 'relaying' | 'over' = 'routing';
  readonly #startedAt = performance.now();
  readonly #start = Date.now();
  readonly #requestId: string;
  readonly #forwardedFor: string;

  readonly #request: RequestBody;
  #app: App | undefined;
  #stopWaiting: (() => void) | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Dynos that could not be connected to. */
  readonly #tried = new Set<UpstreamPool>();
  #connectError: 'H19' | 'H21' = 'H21';
  #onlyFresh = false;

  #pool: UpstreamPool | undefined;
  #connection: UpstreamConnection | undefined;
  #dyno: string | undefined;
  #connectStart = 0;
  #connectTime: number | undefined;

  /** What came of the response's head so far. */
  #partialHead: Buffer | undefined;
  #relay: ResponseRelay | undefined;
  #lastActivity: number;
  #clientEndedAt: number | undefined;

  constructor(router: RouterContext, client: ClientConnection, head: RequestHead) {
    this.#router = router;
    this.#client = client;
    this.#head = head;
    this.#request = new RequestBody(head.body, router.clock.now);
    this.#requestId = requestIdOf(head);
    this.#forwardedFor = forwardedForOf(head, client.peer);
    this.#lastActivity = router.clock.now;
  }

  /** `rest`: what came with the head. */
  start(rest: Buffer): void {
    if (rest.length > 0) this.fromClient(rest);
    if (this.#phase === 'over') return;
    if (this.#head.isForRouter) {
      this.#answerItself();
      return;
    }
    this.#route();
  }

  fromClient(chunk: Buffer): void {
    if (this.#request.done) {
      this.#client.hold(chunk);
      return;
    }
    this.#lastActivity = this.#router.clock.now;
    const out: Buffer[] = [];
    try {
      const end = this.#request.feed(chunk, out);
      this.#passOn(out);
      if (end < chunk.length) this.#client.hold(chunk.subarray(end));
    } catch (error) {
      if (!(error instanceof FramingError)) throw error;
      this.#refuse();
    }
  }

  clientEnded(): void {
    this.#clientEndedAt = this.#router.clock.now;
    if (!this.#request.done) this.#client.destroy();
  }

  clientClosed(): void {
    if (this.#phase === 'over') return;
    this.#over();
    this.#dropConnection();
    this.#log('H27');
  }

  clientDrained(): void {
    this.#connection?.socket.resume();
  }

  upstreamConnected(): void {
    this.#connectTime = performance.now() - this.#connectStart;
    this.#send();
  }

  fromUpstream(chunk: Buffer): void {
    this.#lastActivity = this.#router.clock.now;
    try {
      if (this.#phase === 'sent') this.#readResponseHead(chunk);
      else this.#relayMore(chunk);
    } catch (error) {
      if (error instanceof BadResponse) this.#fail('H17', error.status);
      else if (error instanceof FramingError) this.#fail('H17', 502);
      else throw error;
    }
  }

  upstreamEnded(): void {
    this.#connectionLost(undefined);
  }

  upstreamClosed(error: Error | undefined): void {
    this.#connectionLost(error);
  }

  upstreamDrained(): void {
    if (!this.#request.done) this.#client.socket.resume();
  }

  tick(now: number): void {
    const { limits } = this.#router;
    const silent = now - this.#lastActivity;
    if (
      this.#clientEndedAt !== undefined &&
      silent > limits.halfClosed &&
      now - this.#clientEndedAt > limits.halfClosed
    ) {
      this.#client.destroy();
    }
    switch (this.#phase) {
      case 'waiting':
        this.#checkWaiting(now);
        break;
      case 'connecting':
        if (performance.now() - this.#connectStart > limits.connect) this.#connectFailed('H19');
        return;
      case 'sent':
        if (!this.#request.done) {
          this.#checkBody(now);
          return;
        }
        if (silent > limits.firstByte) this.#fail('H12');
        return;
      case 'relaying':
        if (silent > limits.silence) this.#fail(this.#client.socket.writableNeedDrain ? 'H28' : 'H15');
    }
  }

  // Finding a dyno

  #route(): void {
    this.#phase = 'routing';
    const target = this.#router.routes.find(this.#head.host);
    if (!target) {
      if (this.#router.routes.isEmpty) this.#wait();
      else this.#answer(unknownHost);
      return;
    }
    if (target.kind === 'dashboard') {
      this.#app = undefined;
      this.#reach(target.pool);
      return;
    }
    this.#app = target.app;
    switch (target.app.state) {
      case 'crashed':
        this.#fail('H10');
        break;
      case 'stopped':
        this.#fail('H14');
        break;
      case 'no-release':
        this.#fail('H81');
        break;
      case 'maintenance':
        this.#fail('H80');
        break;
      case 'asleep':
        this.#router.routes.wakes.call(target.app.name);
        this.#wait();
        break;
      default:
        this.#chooseDyno(target.app);
    }
  }

  #chooseDyno(app: App): void {
    if (app.dynos.length === 0) {
      this.#wait();
      return;
    }
    const dyno = pickDyno(app, { tried: this.#tried, now: this.#router.clock.now });
    if (!dyno) {
      this.#fail(this.#connectError);
      return;
    }
    this.#dyno = dyno.name;
    this.#reach(dyno.pool);
  }

  /** Until the routes change. */
  #wait(): void {
    this.#phase = 'waiting';
    this.#stopWaiting = this.#router.routes.waitForChange(() => this.#route());
  }

  #checkWaiting(now: number): void {
    const { limits } = this.#router;
    const waited = now - this.#startedAt;
    if (this.#app) {
      if (waited > limits.booting) this.#fail('H20');
    } else if (waited > limits.dashboard) {
      this.#answer(dashboardAway);
    }
  }

  /** Takes a kept connection, or opens one. */
  #reach(pool: UpstreamPool): void {
    this.#pool = pool;
    pool.began();
    const { now } = this.#router.clock;
    const maxAge = this.#isRepeatable() ? Number.POSITIVE_INFINITY : UNREPEATABLE_MAX_AGE;
    const kept = this.#onlyFresh ? undefined : pool.take(this, { now, maxAge });
    if (kept) {
      this.#connection = kept;
      this.#connectTime = 0;
      this.#send();
    } else {
      this.#phase = 'connecting';
      this.#connectStart = performance.now();
      this.#connection = pool.connect(this);
    }
  }

  #connectFailed(code: 'H19' | 'H21'): void {
    const pool = this.#pool!;
    this.#dropConnection();
    if (this.#app) {
      pool.avoidUntil = this.#router.clock.now + AVOIDED;
      this.#tried.add(pool);
      this.#connectError = code;
      this.#route();
    } else if (performance.now() - this.#startedAt < this.#router.limits.dashboard) {
      this.#phase = 'waiting';
      this.#retry = setTimeout(() => this.#route(), DASHBOARD_RETRY);
    } else {
      this.#answer(dashboardAway);
    }
  }

  // The request's way

  #send(): void {
    this.#phase = 'sent';
    this.#lastActivity = this.#router.clock.now;
    const { socket, reused } = this.#connection!;
    const head = formatRequestHead(this.#head, {
      forwardedFor: this.#forwardedFor,
      requestId: this.#requestId,
      start: this.#start,
      scheme: this.#router.scheme,
      port: this.#router.port,
    });
    if (this.#request.kept.length === 0) {
      socket.write(head, 'latin1');
    } else {
      socket.cork();
      socket.write(head, 'latin1');
      for (const piece of this.#request.kept) socket.write(piece);
      socket.uncork();
    }
    if (!reused || !this.#isRepeatable()) this.#request.kept = [];
    if (!this.#request.done && !socket.writableNeedDrain) this.#client.socket.resume();
  }

  #passOn(pieces: Buffer[]): void {
    if (this.#phase === 'sent' || this.#phase === 'relaying') {
      const { socket } = this.#connection!;
      for (const piece of pieces) socket.write(piece);
      if (socket.writableNeedDrain && !this.#request.done) this.#client.socket.pause();
    } else {
      this.#request.kept.push(...pieces);
      if (!this.#request.done) this.#client.socket.pause();
    }
  }

  /** Can be sent once more without harm: all of it is here, and sending it twice is as good as once (RFC 9110, 9.2.2). */
  #isRepeatable(): boolean {
    return this.#request.done && IDEMPOTENT.has(this.#head.method) && !this.#head.upgrade;
  }

  /** A body that does not come, or too slowly. */
  #checkBody(now: number): void {
    const { limits } = this.#router;
    const isSilent = now - this.#lastActivity > limits.silence;
    if (this.#connection!.socket.writableNeedDrain) {
      if (isSilent) this.#fail('H12');
    } else if (isSilent || this.#request.isTooSlow(now, limits)) {
      this.#fail('H28');
    }
  }

  // The response's way

  #readResponseHead(chunk: Buffer): void {
    let bytes = this.#partialHead ? Buffer.concat([this.#partialHead, chunk]) : chunk;
    this.#partialHead = undefined;
    while (this.#phase === 'sent' && bytes.length > 0) {
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) {
        this.#checkPart(bytes);
        this.#partialHead = bytes;
        return;
      }
      const head = parseResponseHead(bytes.toString('latin1', 0, end + 2), this.#head.method);
      if (head.status === 101) {
        this.#upgrade(head, bytes.subarray(end + 4));
        return;
      }
      if (head.status >= 200) {
        this.#respond(head, bytes, end + 4);
        return;
      }
      if (this.#head.minor === 1) this.#forwardInterim(head);
      bytes = bytes.subarray(end + 4);
    }
  }

  #checkPart(bytes: Buffer): void {
    if (bytes.length > this.#router.limits.responseHead) throw new BadResponse(502, 'head too long');
    const begin = bytes.toString('latin1', 0, PROTOCOL.length);
    if (begin !== PROTOCOL.slice(0, begin.length)) throw new BadResponse(503, 'not HTTP');
    const lineFeed = bytes.indexOf('\n');
    if (lineFeed >= 0 && bytes[lineFeed - 1] !== CR) throw new BadResponse(503, 'bare LF');
  }

  #forwardInterim(head: ResponseHead): void {
    const text = formatResponseHead(head, { date: '', chunked: false, connection: undefined });
    this.#client.socket.write(text, 'latin1');
  }

  #respond(head: ResponseHead, chunk: Buffer, start: number): void {
    const relay = new ResponseRelay(head, {
      request: this.#head,
      client: this.#client.socket,
      dyno: this.#connection!.socket,
      keepAlive: this.#head.keepAlive && this.#request.done && !this.#router.stopping,
    });
    relay.begin(chunk, { start, isOld: this.#head.minor === 0, date: this.#router.clock.date });
    this.#relay = relay;
    this.#phase = 'relaying';
    this.#request.kept = [];
    if (relay.done) this.#complete();
  }

  #relayMore(chunk: Buffer): void {
    const relay = this.#relay!;
    const isAll = relay.feed(chunk);
    if (!relay.done) return;
    // The response as such is whole; whatever comes behind it must not reach anybody.
    if (!isAll) this.#connection!.socket.destroy();
    this.#complete();
  }

  #complete(): void {
    this.#over();
    const { keepAlive, head } = this.#relay!;
    if (this.#request.done && head.keepAlive !== 0 && head.body !== UNTIL_CLOSE) {
      const idle = head.keepAlive ?? this.#router.limits.idleUpstream;
      this.#pool!.release(this.#connection!, { now: this.#router.clock.now, idle });
      this.#connection = undefined;
    }
    this.#dropConnection();
    this.#log(undefined);
    if (keepAlive) this.#client.next();
    else this.#client.finish();
  }

  // Upgrades

  /** Only what was asked for. */
  #upgrade(head: ResponseHead, rest: Buffer): void {
    if (!this.#head.upgrade || head.upgrade !== 'websocket') throw new BadResponse(502, 'unasked upgrade');
    const text = formatResponseHead(head, { date: '', chunked: false, connection: 'upgrade' });
    this.#client.socket.write(text, 'latin1');
    this.#over();
    const pool = this.#pool!;
    this.#pool = undefined;
    const tunnel = new Tunnel(this.#router, { client: this.#client, connection: this.#connection! });
    tunnel.start({ fromClient: this.#client.takeHeld(), fromUpstream: rest }, (code) => {
      pool.ended();
      this.#log(code, { status: code ? routerErrors[code].status : 101, bytes: tunnel.bytes });
    });
  }

  // Ends

  #connectionLost(error: Error | undefined): void {
    switch (this.#phase) {
      case 'connecting':
        this.#connectFailed('H21');
        break;
      case 'sent':
        this.#lostBeforeResponse();
        break;
      case 'relaying':
        if (this.#relay!.head.body === UNTIL_CLOSE && !error) {
          this.#completeOpen();
          return;
        }
        this.#fail('H18', this.#relay!.isHeldBack ? 502 : undefined);
    }
  }

  /** A kept connection may have been closed by the dyno just as it was used: the request was not seen there. */
  #lostBeforeResponse(): void {
    const isStale = this.#connection!.reused && this.#partialHead === undefined;
    if (!isStale || !this.#isRepeatable()) {
      this.#fail(this.#partialHead ? 'H18' : 'H13');
      return;
    }
    this.#dropConnection();
    this.#onlyFresh = true;
    this.#route();
  }

  #completeOpen(): void {
    this.#relay!.end();
    this.#complete();
  }

  #fail(code: ErrorCode, status: number = routerErrors[code].status): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'relaying' && !this.#relay!.isHeldBack) {
      this.#over();
      this.#dropConnection();
      this.#log(code, { status });
      this.#client.abort({ reset: this.#head.minor === 0 });
    } else {
      const answer = this.#app ? appError(code, status, this.#app.page) : dashboardAway;
      this.#answer(code === 'H28' ? refusal(408) : answer, { code, status });
    }
  }

  #refuse(): void {
    if (this.#phase === 'relaying') {
      this.#over();
      this.#dropConnection();
      this.#client.abort({ reset: true });
    } else {
      this.#answer(refusal(400));
    }
  }

  #answerItself(): void {
    this.#answer(this.#head.method === 'OPTIONS' ? { status: 200, title: 'OK', text: 'OK' } : refusal(405));
  }

  #answer(answer: Answer, error?: { code: ErrorCode; status: number }): void {
    this.#over();
    this.#dropConnection();
    if (error) this.#log(error.code, { status: error.status });
    const keepAlive = this.#head.keepAlive && this.#request.done && !this.#router.stopping;
    const isHead = this.#head.method === 'HEAD';
    const text = formatAnswer(answer, { date: this.#router.clock.date, isHead, keepAlive });
    if (!keepAlive) {
      this.#client.finish(text);
      return;
    }
    this.#client.socket.write(text, 'latin1');
    this.#client.next();
  }

  #over(): void {
    this.#phase = 'over';
    this.#relay?.cancel();
    this.#stopWaiting?.();
    clearTimeout(this.#retry);
  }

  /** Closes the connection to the dyno, if there is one; the dyno is no longer busy with this request. */
  #dropConnection(): void {
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#partialHead = undefined;
    this.#pool?.ended();
    this.#pool = undefined;
  }

  #log(code: ErrorCode | undefined, result: { status?: number; bytes?: number } = {}): void {
    if (!this.#app) return;
    const total = performance.now() - this.#startedAt;
    const text = formatOutcome({
      code,
      method: this.#head.method,
      target: this.#head.target,
      host: this.#head.host,
      requestId: this.#requestId,
      forwardedFor: this.#forwardedFor,
      dyno: this.#dyno,
      connect: this.#connectTime,
      service: this.#connectTime === undefined ? undefined : total - this.#connectTime,
      status: result.status ?? (code ? routerErrors[code].status : this.#relay!.head.status),
      bytes: result.bytes ?? this.#relay?.bytes ?? 0,
      protocol: this.#router.scheme,
    });
    this.#router.log.write({ app: this.#app.name, at: Date.now(), text });
  }
}

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);
/** What must not be sent twice goes only on connections that were in use a moment ago. */
const UNREPEATABLE_MAX_AGE = 1_000;
const AVOIDED = 1_000;
const DASHBOARD_RETRY = 100;
const PROTOCOL = 'HTTP/1.';
const HEAD_END = Buffer.from('\r\n\r\n');
const CR = 0x0d;
