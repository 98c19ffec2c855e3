import { Socket, type SocketConstructorOpts } from 'node:net';
import type { SecureContext, TLSSocket } from 'node:tls';
import type { Entrance } from './client.ts';
import { ClientConnection } from './client-connection.ts';
import { BadHello, type ClientHello, parseClientHello } from './client-hello.ts';
import type { Connection } from './connection.ts';
import { HandleWire } from './handle-wire.ts';
import { Http2Connection } from './http2-connection.ts';
import { PassthroughConnection } from './passthrough-connection.ts';
import type { RouterContext } from './router-context.ts';
import { SecureWire } from './secure-wire.ts';
import { readEach, type StreamHandle } from './stream-handle.ts';
import type { WireUser } from './wire.ts';

/**
 * One client's connection at the HTTPS entrance. What it says first decides:
 *
 *   hello ──► handshake ──► ClientConnection, or Http2Connection if the client speaks that
 *     │ └───► PassthroughConnection (TLS is the app's own)
 *     └─────► alert: nobody has a certificate for this name
 */
export class TlsConnection implements Connection, WireUser {
  readonly peer: string;
  readonly #router: RouterContext;
  readonly #entrance: Entrance;
  readonly #onClose: () => void;
  readonly #handle: StreamHandle;
  /** What has come of the hello. */
  #hello: Buffer | undefined;
  /** Closes whatever the connection is until it has become `inner`. */
  #close: () => void;
  #inner: Connection | undefined;
  readonly #since: number;
  #isOver = false;

  constructor(
    handle: StreamHandle,
    options: { router: RouterContext; entrance: Entrance; peer: string; onClose: () => void },
  ) {
    this.#router = options.router;
    this.#entrance = options.entrance;
    this.#onClose = options.onClose;
    this.#since = this.#router.clock.now;
    this.#handle = handle;
    this.peer = options.peer;
    this.#close = () => handle.close(() => this.closed());
    readEach(handle, this.#router.buffers.shared, (bytes) =>
      bytes ? this.#readHello(bytes) : this.#close(),
    );
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
    else this.#close();
  }

  #readHello(bytes: Buffer): void {
    this.#hello = this.#hello ? Buffer.concat([this.#hello, bytes]) : Buffer.from(bytes);
    try {
      const hello = parseClientHello(this.#hello);
      if (hello) this.#choose(hello, this.#hello);
      else if (this.#hello.length > MAX_HELLO) this.#alert(DECODE_ERROR);
    } catch (error) {
      if (!(error instanceof BadHello)) throw error;
      if (HTTP.test(this.#hello.toString('latin1', 0, 16))) this.#refuse(NO_TLS);
      else this.#alert(DECODE_ERROR);
    }
  }

  #choose({ serverName, protocols }: ClientHello, hello: Buffer): void {
    this.#hello = undefined;
    const { tls } = this.#router.routes;
    if (serverName === undefined) this.#alert(UNRECOGNIZED_NAME);
    else if (tls.passthrough(serverName)) this.#passThrough(serverName, hello);
    else if (protocols.includes(CHALLENGE_PROTOCOL)) this.#prove(serverName, hello);
    else {
      const context = this.#contextFor(serverName);
      if (!context) this.#alert(UNRECOGNIZED_NAME);
      else if (protocols.includes(HTTP2)) this.#speakHttp2(serverName, { hello, context });
      else this.#speak(serverName, { hello, context });
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
    const onClose = () => this.closed();
    const options = { router: this.#router, peer: this.peer, host, first, onClose };
    this.#inner = new PassthroughConnection(this.#handle, options);
  }

  /** Shows a certificate authority what it asked for (RFC 8737, 3); nothing is said on that connection. */
  #prove(host: string, hello: Buffer): void {
    const pair = this.#router.routes.tls.challengeCertificate(host);
    const context = pair && this.#router.contexts.get(pair, host);
    if (!context) {
      this.#alert(NO_APPLICATION_PROTOCOL);
      return;
    }
    const secured = () => setImmediate(() => wire.end());
    const wire = this.#shakeHands({ hello, context, protocols: CHALLENGE_PROTOCOLS, secured });
  }

  #speak(serverName: string, { hello, context }: Greeting): void {
    const secured = () => {
      const open = (user: WireUser) => wire.use(user);
      this.#inner = new ClientConnection({ ...this.#inside(serverName), open });
    };
    const wire = this.#shakeHands({ hello, context, protocols: PROTOCOLS, secured });
  }

  #shakeHands(options: Greeting & { protocols: Buffer; secured: () => void }): SecureWire {
    const wire = new SecureWire(this.#handle, { ...options, user: this, pool: this.#router.buffers });
    this.#close = () => wire.destroy();
    wire.start(options.hello);
    return wire;
  }

  /** Frames are Node's own, and read from its own sockets. */
  #speakHttp2(serverName: string, { hello, context }: Greeting): void {
    // Loaded when it is needed: an import statement would cost every router its memory.
    const { TLSSocket } = process.getBuiltinModule('node:tls');
    const raw = socketOf(this.#handle);
    raw.on('error', () => {}).on('close', () => this.closed());
    this.#close = () => raw.destroy();
    raw.unshift(hello);
    const socket = new TLSSocket(raw, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: [HTTP2],
    });
    socket.on('error', () => {});
    socket.once('secure', () => {
      handshakeDone(socket);
      this.#inner = new Http2Connection(socket, this.#inside(serverName));
    });
  }

  /** What is the same for all that is spoken inside TLS. */
  #inside(serverName: string) {
    const onClose = () => this.closed();
    return { router: this.#router, entrance: this.#entrance, peer: this.peer, serverName, onClose };
  }

  /** Says why not (RFC 8446, 6.2), and closes. */
  #alert(description: number): void {
    this.#refuse(String.fromCharCode(ALERT, 3, 3, 0, 2, FATAL, description));
  }

  /** What the client still sends is read, so that it gets to see the answer. */
  #refuse(answer: string): void {
    const wire = HandleWire.accept(this.#handle, { user: this, pool: this.#router.buffers });
    this.#close = () => wire.destroy();
    wire.end(answer);
  }

  // Before there is `inner`, the wire tells it here.

  read(): void {}

  ended(): void {
    this.#close();
  }

  drained(): void {}

  closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onClose();
  }
}

/** What the client has sent, and the certificate that it gets. */
interface Greeting {
  hello: Buffer;
  context: SecureContext;
}

/** What Node's own servers do then: errors are the socket's from now on, and HTTP/2 does not wait for the handshake. */
function handshakeDone(socket: TLSSocket): void {
  const own = socket as unknown as { _releaseControl(): boolean; secureConnecting: boolean };
  own._releaseControl();
  own.secureConnecting = false;
}

function socketOf(handle: StreamHandle): Socket {
  handle.readStop();
  const own = handle as unknown as NonNullable<SocketConstructorOpts['handle']>;
  return new Socket({ handle: own, allowHalfOpen: true, readable: true, writable: true });
}

/** As ALPN writes its list (RFC 7301, 3.1). */
function protocolList(...names: string[]): Buffer {
  return Buffer.from(names.map((name) => String.fromCharCode(name.length) + name).join(''), 'latin1');
}

const HTTP2 = 'h2';
const CHALLENGE_PROTOCOL = 'acme-tls/1';
const PROTOCOLS = protocolList('http/1.1', 'http/1.0');
const CHALLENGE_PROTOCOLS = protocolList(CHALLENGE_PROTOCOL);
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
