import { errorPage } from './app.ts';
import { FramingError, NO_BODY, UNTIL_CLOSE } from './body-framing.ts';
import type { Client, ClientResponse, ClientUser } from './client.ts';
import { DynoSearch } from './dyno-search.ts';
import {
  type Answer,
  appError,
  challengeAnswer,
  dashboardAway,
  type ErrorCode,
  misdirected,
  refusal,
  routerErrors,
} from './error-page.ts';
import { formatResponseHead } from './forwarding.ts';
import type { RequestHead } from './request-head.ts';
import { RequestRelay } from './request-relay.ts';
import { BadResponse, type ResponseHead } from './response-head.ts';
import type { RouterContext } from './router-context.ts';
import { formatOutcome } from './router-log.ts';
import { Tunnel } from './tunnel.ts';
import type { UpstreamConnection, UpstreamUser } from './upstream-connection.ts';

/**
 * One request and its response:
 *
 *   searching ──► sent ──► relaying ──► over
 *       ▲          │ └───► tunnel
 *       └──────────┘ a kept connection turned out closed
 */
export class Exchange implements ClientUser, UpstreamUser {
  readonly #router: RouterContext;
  readonly #client: Client;
  readonly #request: RequestRelay;
  readonly #search: DynoSearch;
  #phase: 'searching' | 'sent' | 'relaying' | 'over' = 'searching';
  readonly #startedAt = performance.now();
  #connection: UpstreamConnection | undefined;
  /** What came of the response's head so far. */
  #partialHead: Buffer | undefined;
  /** Bytes of 1xx that came before the response. */
  #informed = 0;
  #response: ClientResponse | undefined;
  #lastActivity: number;
  #clientEndedAt: number | undefined;

  constructor(router: RouterContext, client: Client, head: RequestHead) {
    this.#router = router;
    this.#client = client;
    this.#request = new RequestRelay(head, { router, client });
    this.#search = new DynoSearch(router, { exchange: this, request: this.#request });
    this.#lastActivity = router.clock.now;
  }

  /** `rest`: what came with the head, if anything did. */
  start(rest: Buffer | undefined): void {
    if (rest) this.fromClient(rest);
    if (this.#phase === 'over') return;
    const { head } = this.#request;
    const proof = this.#router.routes.tls.answer(head.host, head.target);
    if (head.isForRouter) this.#answerItself();
    else if (proof !== undefined) this.answer(challengeAnswer(proof));
    else if (this.#isMisdirected()) this.answer(misdirected);
    else this.#search.start();
  }

  // What DynoSearch tells.

  /** There is a connection to send the request on. */
  reached(connection: UpstreamConnection): void {
    this.#connection = connection;
    this.#phase = 'sent';
    this.#lastActivity = this.#router.clock.now;
    this.#request.sendTo(connection);
  }

  /** Answers instead of a dyno. `error`: what the app's log says. */
  answer(answer: Answer, error?: { code: ErrorCode | undefined; status: number }): void {
    this.#over();
    if (error) this.#log(error.code, { status: error.status });
    const { head, done } = this.#request;
    const keepAlive = head.keepAlive && done && !this.#router.stopping;
    this.#client.answer(answer, { isHead: head.method === 'HEAD', keepAlive });
  }

  /** Gives up: answers with an error page if nothing was answered yet. */
  fail(code: ErrorCode, status: number = routerErrors[code].status): void {
    if (this.#phase === 'over') return;
    if (this.#phase === 'relaying' && !this.#response!.isHeldBack) {
      this.#over();
      this.#log(code, { status });
      this.#client.abort({ reset: this.#request.head.minor === 0 });
      return;
    }
    const { app } = this.#search;
    const answer = app ? appError(code, status, errorPage(app, code, status)) : dashboardAway;
    this.answer(code === 'H28' ? refusal(408) : answer, { code, status });
  }

  // What the client does.

  fromClient(chunk: Buffer): void {
    if (this.#request.done) {
      this.#client.hold(chunk);
      return;
    }
    this.#lastActivity = this.#router.clock.now;
    try {
      const end = this.#request.feed(chunk);
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
    this.#log('H27');
  }

  clientDrained(): void {
    this.#connection?.wire.resume();
  }

  // What the dyno does.

  upstreamConnected(): void {
    this.#search.connected();
  }

  fromUpstream(bytes: Buffer, length: number): void {
    this.#lastActivity = this.#router.clock.now;
    try {
      if (this.#phase === 'sent') this.#readResponseHead(bytes, length);
      else this.#relayMore(bytes.subarray(0, length));
    } catch (error) {
      if (error instanceof BadResponse) this.#failDyno('H17', error.status);
      else if (error instanceof FramingError) this.#failDyno('H17', 502);
      else throw error;
    }
  }

  upstreamEnded(): void {
    this.#connectionLost({ broken: false });
  }

  upstreamClosed(broken: boolean): void {
    this.#connectionLost({ broken });
  }

  upstreamDrained(): void {
    this.#request.dynoDrained();
  }

  tick(now: number): void {
    const { limits } = this.#router;
    const silent = now - this.#lastActivity;
    const endedAt = this.#clientEndedAt;
    if (endedAt !== undefined && silent > limits.halfClosed && now - endedAt > limits.halfClosed) {
      this.#client.destroy();
    }
    if (this.#phase === 'searching') this.#search.tick(now);
    else if (this.#phase === 'sent' && !this.#request.done) this.#checkBody(now);
    else if (this.#phase === 'sent' && silent > limits.firstByte) this.#failDyno('H12');
    else if (this.#phase === 'relaying' && silent > limits.silence) {
      if (this.#client.blocked) this.fail('H28');
      else this.#failDyno('H15');
    }
  }

  /** A body that does not come, or too slowly. */
  #checkBody(now: number): void {
    const isSilent = now - this.#lastActivity > this.#router.limits.silence;
    if (this.#connection!.wire.blocked) {
      if (isSilent) this.#failDyno('H12');
    } else if (isSilent || this.#request.isTooSlow(now)) {
      this.fail('H28');
    }
  }

  // The response's way.

  #readResponseHead(read: Buffer, length: number): void {
    const bytes = this.#partialHead ? Buffer.concat([this.#partialHead, read.subarray(0, length)]) : read;
    const end = this.#partialHead ? bytes.length : length;
    this.#partialHead = undefined;
    const { method, minor } = this.#request.head;
    for (let start = 0; this.#phase === 'sent' && start < end; ) {
      const head = this.#router.responseHeads.read(bytes, start, end, method);
      if (!head) {
        this.#keepPartialHead(bytes.subarray(start, end));
        return;
      }
      if (head.status === 101) {
        this.#upgrade(head, bytes.subarray(head.end, end));
        return;
      }
      if (head.status >= 200) {
        this.#respond(head, bytes, end);
        return;
      }
      // Nothing slows these down for a client that does not read.
      this.#informed += head.end - start;
      if (this.#informed > this.#router.limits.responseHead) throw new BadResponse(502, 'too many 1xx');
      if (minor === 1) this.#client.inform(head);
      start = head.end;
    }
  }

  #keepPartialHead(bytes: Buffer): void {
    if (bytes.length > this.#router.limits.responseHead) throw new BadResponse(502, 'head too long');
    this.#partialHead = Buffer.from(bytes);
  }

  #respond(head: ResponseHead, bytes: Buffer, end: number): void {
    const request = this.#request;
    head.text += this.#search.setCookie;
    if (this.#client.entrance.scheme === 'https') head.text += this.#search.hsts(head.text);
    const response = this.#client.respond(head, {
      request: request.head,
      dyno: this.#connection!.wire,
      keepAlive: request.head.keepAlive && request.done && !this.#router.stopping,
    });
    response.begin(bytes, end, this.#router.clock.date);
    this.#response = response;
    this.#phase = 'relaying';
    request.forget();
    if (response.done) this.#complete();
  }

  #relayMore(chunk: Buffer): void {
    const response = this.#response!;
    const isAll = response.feed(chunk);
    if (!response.done) return;
    // The response as such is whole; whatever comes behind it must not reach anybody.
    if (!isAll) this.#connection!.destroy();
    this.#complete();
  }

  #complete(): void {
    const { keepAlive, head } = this.#response!;
    const connection = this.#connection!;
    const isKept = this.#request.done && head.keepAlive !== 0 && head.body !== UNTIL_CLOSE;
    this.#phase = 'over';
    this.#connection = undefined;
    this.#search.done(connection, isKept ? (head.keepAlive ?? this.#router.limits.idleUpstream) : 0);
    this.#log(undefined);
    if (keepAlive) this.#client.next();
    else if (this.#request.done) this.#client.close();
    else this.#client.finish();
  }

  /** Only what was asked for. */
  #upgrade(head: ResponseHead, rest: Buffer): void {
    const client = this.#client.connection;
    if (!client || !this.#request.head.upgrade || head.upgrade !== 'websocket') {
      throw new BadResponse(502, 'unasked upgrade');
    }
    const text = formatResponseHead(head, { date: '', chunked: false, connection: 'upgrade' });
    client.wire.write(`${text}\r\n`);
    this.#phase = 'over';
    const tunnel = new Tunnel(this.#router, { client, connection: this.#connection! });
    tunnel.start({ fromClient: client.takeHeld(), fromUpstream: rest }, (code) => {
      this.#search.end();
      this.#log(code, { status: code ? routerErrors[code].status : 101, bytes: tunnel.bytes });
    });
  }

  // Ends.

  #connectionLost({ broken }: { broken: boolean }): void {
    if (this.#phase === 'searching') {
      this.#search.connectFailed('H21');
    } else if (this.#phase === 'sent') {
      this.#lostBeforeResponse();
    } else if (this.#phase === 'relaying') {
      if (this.#response!.head.body === UNTIL_CLOSE && !broken) {
        this.#response!.end();
        this.#complete();
      } else {
        this.#failDyno('H18', this.#response!.isHeldBack ? 502 : undefined);
      }
    }
  }

  /**
   * A kept connection may have been closed by the dyno just as it was used: the request was not seen there. One that was seen, and can be
   * repeated without harm, is another dyno's to answer.
   */
  #lostBeforeResponse(): void {
    const isUnseen = this.#connection!.reused && this.#partialHead === undefined;
    const { isRepeatable, head } = this.#request;
    const another = () =>
      head.body === NO_BODY && this.#partialHead === undefined && this.#search.leaveDyno();
    if (!isRepeatable || !(isUnseen || another())) {
      this.#failDyno(this.#partialHead ? 'H18' : 'H13');
      return;
    }
    this.#phase = 'searching';
    this.#connection = undefined;
    this.#request.unsend();
    this.#search.startAfresh();
  }

  /** The same, and the dyno is to blame. */
  #failDyno(code: ErrorCode, status?: number): void {
    this.#search.blame();
    this.fail(code, status);
  }

  #refuse(): void {
    if (this.#phase !== 'relaying') {
      this.answer(refusal(400));
      return;
    }
    this.#over();
    this.#client.abort({ reset: true });
  }

  /** On a connection that was opened for another app: its certificate, or the client's idea of it, is not this one's. */
  #isMisdirected(): boolean {
    const { serverName } = this.#client;
    const { host, target } = this.#request.head;
    if (serverName === undefined || serverName === host) return false;
    return !this.#router.routes.isSame(serverName, host, target);
  }

  #answerItself(): void {
    this.answer(
      this.#request.head.method === 'OPTIONS' ? { status: 200, title: 'OK', text: 'OK' } : refusal(405),
    );
  }

  /** Closes the connection to the dyno, if there is one. */
  #over(): void {
    this.#phase = 'over';
    this.#response?.cancel();
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#search.end();
  }

  #log(code: ErrorCode | undefined, result: { status?: number; bytes?: number } = {}): void {
    const { app, dyno, connectTime } = this.#search;
    if (!app) return;
    const { head, id, forwardedFor } = this.#request;
    const total = performance.now() - this.#startedAt;
    const status = result.status ?? (code ? routerErrors[code].status : this.#response!.head.status);
    const bytes = result.bytes ?? this.#response?.bytes ?? 0;
    const text = formatOutcome({
      code,
      method: head.method,
      target: head.target,
      host: head.host,
      requestId: id,
      forwardedFor,
      dyno,
      connect: connectTime,
      service: connectTime === undefined ? undefined : total - connectTime,
      status,
      bytes,
      protocol: this.#client.entrance.scheme,
    });
    this.#router.log.write(app.name, this.#router.clock.stamp(), text);
    this.#router.traffic.count(app.name, { status, bytes, time: total });
  }
}
