import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Entrance } from './client.ts';
import type { Connection } from './connection.ts';
import { FloodGuard } from './flood-guard.ts';
import { forwardedFields, VIA } from './forwarding.ts';
import { Http2Client } from './http2-client.ts';
import type { RawFields } from './http2-fields.ts';
import type { RouterContext } from './router-context.ts';

/** A client's connection with HTTP/2 (RFC 9113): every stream is a request of its own, and goes to the dynos as any other. */
export class Http2Connection implements Connection {
  readonly peer: string;
  readonly isTunnel = false;
  readonly #router: RouterContext;
  readonly #socket: TLSSocket;
  readonly #session: ServerHttp2Session;
  readonly #guard: FloodGuard;
  readonly #clients = new Set<Http2Client>();
  readonly #shared: {
    router: RouterContext;
    peer: string;
    entrance: Entrance;
    forwarded: string;
    serverName: string;
  };
  #requests = 0;
  #bodyBytes = 0;
  #idleSince: number;
  /** When the client said that it sends nothing more. */
  #endedAt: number | undefined;

  constructor(
    socket: TLSSocket,
    options: {
      router: RouterContext;
      entrance: Entrance;
      serverName: string;
      peer: string;
      onClose: () => void;
    },
  ) {
    const { router, entrance, serverName, peer, onClose } = options;
    this.#router = router;
    this.#socket = socket;
    this.peer = peer;
    this.#idleSince = router.clock.now;
    this.#guard = new FloodGuard(performance.now());
    const forwarded = forwardedFields({ forwardedFor: peer, via: `2.0 ${VIA}` }, entrance);
    this.#shared = { router, peer, entrance, forwarded, serverName };
    this.#session = openSession(socket, router.limits.requestHead);
    this.#session.on('error', () => {});
    this.#session.on('close', onClose);
    // Its socket is one that may be half-closed: nothing else would come of it.
    socket.on('end', () => this.#ended());
    this.#session.on('stream', (stream, _headers, flags, fields) => {
      this.#take(stream, { flags, fields: fields as unknown as RawFields });
    });
    for (const event of ['ping', 'remoteSettings'] as const) {
      this.#session.on(event, () => this.#check(this.#guard.chat(performance.now())));
    }
  }

  get isIdle(): boolean {
    return this.#clients.size === 0;
  }

  tick(now: number): void {
    for (const client of this.#clients) client.tick(now);
    this.#checkBytes();
    if (this.#endedAt !== undefined && now - this.#endedAt > this.#router.limits.halfClosed) this.destroy();
    const { idleClient, linger } = this.#router.limits;
    if (!this.isIdle || now - this.#idleSince <= idleClient) return;
    if (now - this.#idleSince > idleClient + linger) this.destroy();
    else this.finish();
  }

  leave(): void {
    this.finish();
  }

  /** GOAWAY: requests that are here go on, others take a new connection. */
  finish(): void {
    this.#session.close();
  }

  destroy(): void {
    this.#session.destroy();
    this.#socket.destroy();
  }

  #ended(): void {
    this.#endedAt = this.#router.clock.now;
    if (this.isIdle) this.destroy();
  }

  #take(stream: ServerHttp2Stream, { flags, fields }: { flags: number; fields: RawFields }): void {
    this.#requests++;
    const client: Http2Client = new Http2Client(stream, {
      ...this.#shared,
      onClose: (isWhole) => this.#forget(client, isWhole),
      onStuck: () => this.destroy(),
    });
    this.#clients.add(client);
    const hasBody = (flags & END_STREAM) === 0;
    if (hasBody) stream.on('data', (bytes: Buffer) => (this.#bodyBytes += bytes.length));
    client.start(fields, { hasBody });
  }

  #forget(client: Http2Client, isWhole: boolean): void {
    this.#clients.delete(client);
    if (this.isIdle) this.#idleSince = this.#router.clock.now;
    if (this.isIdle && this.#endedAt !== undefined) this.finish();
    if (!isWhole) this.#check(this.#guard.reset(performance.now()));
  }

  /** What is read must be for something: requests, bodies, or the windows for what was sent. */
  #checkBytes(): void {
    const { bytesRead: read, bytesWritten } = this.#socket;
    const needed = this.#requests * OF_A_REQUEST + this.#bodyBytes * 1.5 + bytesWritten / 16;
    this.#check(this.#guard.bytes({ read, needed }, performance.now()));
  }

  /** The client is told why (RFC 9113, 7: ENHANCE_YOUR_CALM), and its connection closed. */
  #check(isFine: boolean): void {
    if (isFine || this.#session.destroyed) return;
    this.#session.destroy(new Error('too much of nothing'), ENHANCE_YOUR_CALM);
  }
}

function openSession(socket: TLSSocket, maxHeaderListSize: number): ServerHttp2Session {
  // Loaded when it is needed: it takes 8 MB.
  const { performServerHandshake } = process.getBuiltinModule('node:http2');
  return performServerHandshake(socket, {
    settings: { maxConcurrentStreams: 100, maxHeaderListSize, enablePush: false },
    maxSettings: 32,
    maxHeaderListPairs: 256,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 100,
    ...STREAM_RESETS,
  } as Parameters<typeof performServerHandshake>[1]);
}

/** nghttp2's own limit on resets by the client, below ours. */
const STREAM_RESETS = { streamResetBurst: 400, streamResetRate: 50 };
const END_STREAM = 1;
const ENHANCE_YOUR_CALM = 11;
const OF_A_REQUEST = 16 * 1024;
