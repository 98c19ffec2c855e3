import { Socket, type SocketConstructorOpts } from 'node:net';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Entrance } from './client.ts';
import { ClientConnection } from './client-connection.ts';
import { BadHello, type ClientHello, parseClientHello } from './client-hello.ts';
import type { Connection } from './connection.ts';
import { Http2Connection } from './http2-connection.ts';
import { PassthroughConnection } from './passthrough-connection.ts';
import type { RouterContext } from './router-context.ts';
import { peerOf, SocketWire } from './socket-wire.ts';
import type { StreamHandle } from './stream-handle.ts';
import type { WireUser } from './wire.ts';

/**
 * One client's connection at the HTTPS entrance. The name that it asks for decides:
 *
 *   hello ──► handshake ──► ClientConnection or Http2Connection
 *     │ └───► PassthroughConnection (TLS is the app's own)
 *     └─────► alert: nobody has a certificate for this name
 */
export class TlsConnection implements Connection {
  readonly peer: string;
  readonly #router: RouterContext;
  readonly #entrance: Entrance;
  readonly #onClose: () => void;
  readonly #raw: Socket;
  #hello: Buffer | undefined;
  #inner: Connection | undefined;
  readonly #since: number;
  #isOver = false;

  constructor(
    handle: StreamHandle,
    options: { router: RouterContext; entrance: Entrance; onClose: () => void },
  ) {
    this.#router = options.router;
    this.#entrance = options.entrance;
    this.#onClose = options.onClose;
    this.#since = this.#router.clock.now;
    this.#raw = socketOf(handle);
    this.peer = peerOf(this.#raw);
    this.#raw.on('error', () => {}).on('close', () => this.#over());
    this.#raw.on('end', this.#ended).on('readable', this.#readHello);
  }

  get isIdle(): boolean {
    return this.#inner?.isIdle ?? true;
  }

  get isTunnel(): boolean {
    return this.#inner?.isTunnel ?? false;
  }

  tick(now: number): void {
    if (this.#inner) this.#inner.tick(now);
    else if (now - this.#since > this.#router.limits.handshake) this.destroy();
  }

  leave(): void {
    this.#inner?.leave();
  }

  finish(): void {
    if (this.#inner) this.#inner.finish();
    else this.destroy();
  }

  destroy(): void {
    if (this.#inner) this.#inner.destroy();
    else this.#raw.destroy();
  }

  readonly #ended = () => {
    this.#raw.destroy();
  };

  readonly #readHello = () => {
    const bytes = this.#raw.read() as Buffer | null;
    if (!bytes) return;
    this.#hello = this.#hello ? Buffer.concat([this.#hello, bytes]) : bytes;
    try {
      const hello = parseClientHello(this.#hello);
      if (hello) this.#choose(hello, this.#hello);
      else if (this.#hello.length > MAX_HELLO) this.#alert(DECODE_ERROR);
    } catch (error) {
      if (!(error instanceof BadHello)) throw error;
      if (HTTP.test(this.#hello.toString('latin1', 0, 16))) this.#refuse(NO_TLS);
      else this.#alert(DECODE_ERROR);
    }
  };

  #choose({ serverName, protocols }: ClientHello, bytes: Buffer): void {
    this.#hello = undefined;
    const { tls } = this.#router.routes;
    if (serverName === undefined) this.#alert(UNRECOGNIZED_NAME);
    else if (tls.passthrough(serverName)) this.#passThrough(serverName, bytes);
    else if (protocols.includes(CHALLENGE_PROTOCOL)) this.#prove(serverName, bytes);
    else {
      const context = this.#contextFor(serverName);
      if (context) this.#shakeHands(serverName, { bytes, context });
      else this.#alert(UNRECOGNIZED_NAME);
    }
  }

  #contextFor(host: string): SecureContext | undefined {
    for (const certificate of this.#router.routes.tls.certificates(host)) {
      const context = this.#router.contexts.get(certificate, host);
      if (context) return context;
    }
    return undefined;
  }

  #passThrough(host: string, first: Buffer): void {
    this.#handOver();
    const onClose = () => this.#over();
    this.#inner = new PassthroughConnection(this.#raw, { router: this.#router, host, first, onClose });
  }

  /** Shows a certificate authority what it asked for (RFC 8737, 3); nothing is said on that connection. */
  #prove(host: string, bytes: Buffer): void {
    const pair = this.#router.routes.tls.challengeCertificate(host);
    const context = pair && this.#router.contexts.get(pair, host);
    if (!context) {
      this.#alert(NO_APPLICATION_PROTOCOL);
      return;
    }
    const socket = this.#secure(bytes, { context, protocols: [CHALLENGE_PROTOCOL] });
    socket.on('secure', () => socket.end());
  }

  #shakeHands(serverName: string, { bytes, context }: { bytes: Buffer; context: SecureContext }): void {
    const socket = this.#secure(bytes, { context, protocols: PROTOCOLS });
    socket.once('secure', () => this.#speak(socket, serverName));
  }

  #secure(bytes: Buffer, options: { context: SecureContext; protocols: string[] }): TLSSocket {
    // Loaded when it is needed: an import statement would cost every router its memory.
    const { TLSSocket } = process.getBuiltinModule('node:tls');
    this.#handOver();
    this.#raw.unshift(bytes);
    const socket = new TLSSocket(this.#raw, {
      isServer: true,
      secureContext: options.context,
      ALPNProtocols: options.protocols,
    });
    socket.on('error', () => {});
    return socket;
  }

  #speak(socket: TLSSocket, serverName: string): void {
    const router = this.#router;
    const { peer } = this;
    handshakeDone(socket);
    const shared = { router, entrance: this.#entrance, serverName, onClose: () => this.#over() };
    if (socket.alpnProtocol === 'h2') {
      this.#inner = new Http2Connection(socket, { ...shared, peer });
      return;
    }
    const open = (user: WireUser) => new SocketWire(socket, { user, pool: router.buffers, raw: this.#raw });
    this.#inner = new ClientConnection({ ...shared, open });
  }

  /** Says why not (RFC 8446, 6.2), and closes. */
  #alert(description: number): void {
    this.#refuse(Buffer.from([ALERT, 3, 3, 0, 2, FATAL, description]));
  }

  /** What the client still sends is read, so that it gets to see the answer. */
  #refuse(answer: Buffer | string): void {
    this.#raw.off('readable', this.#readHello);
    this.#raw.end(answer);
    this.#raw.resume();
  }

  /** Others read what comes from now on. */
  #handOver(): void {
    this.#raw.off('readable', this.#readHello).off('end', this.#ended);
  }

  #over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onClose();
  }
}

/** What Node's own servers do then: errors are the socket's from now on, and HTTP/2 does not wait for the handshake. */
function handshakeDone(socket: TLSSocket): void {
  const own = socket as unknown as { _releaseControl(): boolean; secureConnecting: boolean };
  own._releaseControl();
  own.secureConnecting = false;
}

/** OpenSSL's streams are Node's own. */
function socketOf(handle: StreamHandle): Socket {
  const own = handle as unknown as NonNullable<SocketConstructorOpts['handle']>;
  return new Socket({ handle: own, allowHalfOpen: true, readable: true, writable: true });
}

const PROTOCOLS = ['h2', 'http/1.1', 'http/1.0'];
const CHALLENGE_PROTOCOL = 'acme-tls/1';
/** Of what is read of a client before it is known where it goes. */
const MAX_HELLO = 32 * 1024;
const ALERT = 21;
const FATAL = 2;
const DECODE_ERROR = 50;
const UNRECOGNIZED_NAME = 112;
const NO_APPLICATION_PROTOCOL = 120;
const HTTP = /^[A-Z]{3,10} /;
const NO_TLS =
  'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 40\r\nConnection: close\r\n\r\n' +
  'HTTPS is spoken here: use https:// URLs\n';
