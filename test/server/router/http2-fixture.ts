import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { delay } from './router-fixture.ts';

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  window: 8,
  continuation: 9,
} as const;
export const END_STREAM = 1;
export const END_HEADERS = 4;
export const ACK = 1;

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

/** A client that says what it is told, frame by frame. */
export class FrameClient {
  readonly socket: TLSSocket;
  readonly frames: Frame[] = [];
  #rest = Buffer.alloc(0);

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => this.#read(bytes));
  }

  static async connect(port: number, options: { ca: string; servername: string }): Promise<FrameClient> {
    const socket = connect({ port, host: '127.0.0.1', ALPNProtocols: ['h2'], ...options });
    const client = new FrameClient(socket);
    await once(socket, 'secureConnect');
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
    client.send(FRAME.settings);
    return client;
  }

  send(type: number, { flags = 0, stream = 0, payload = Buffer.alloc(0) }: Partial<Frame> = {}): boolean {
    return this.socket.write(frame(type, { flags, stream, payload }));
  }

  /** A request without a body. */
  request(stream: number, fields: [string, string][], flags = END_STREAM | END_HEADERS): boolean {
    return this.send(FRAME.headers, { flags, stream, payload: literals(fields) });
  }

  /** Sends this again and again until the other side has enough, or `times` were sent; resolves to GOAWAY's error code, if there was one. */
  async flood(frames: (i: number) => Buffer, times: number): Promise<number | undefined> {
    for (let i = 0; i < times && !this.socket.closed && this.goaway === undefined; i++) {
      const drained = () => once(this.socket, 'drain').catch(() => {});
      if (!this.socket.write(frames(i))) await Promise.race([drained(), delay(1000)]);
      if (i % 50 === 0) await delay(0);
    }
    for (let waited = 0; waited < 2000 && !this.socket.closed; waited += 10) await delay(10);
    return this.goaway;
  }

  get goaway(): number | undefined {
    return this.frames.find(({ type }) => type === FRAME.goaway)?.payload.readUInt32BE(4);
  }

  /** RST_STREAM's error code, when it has come, or GOAWAY's. */
  async resetOf(stream: number): Promise<number | undefined> {
    for (let waited = 0; waited < 20_000; waited += 10) {
      const reset = this.frames.find((frame) => frame.type === FRAME.reset && frame.stream === stream);
      if (reset) return reset.payload.readUInt32BE(0);
      if (this.goaway) return this.goaway;
      await delay(10);
    }
    return undefined;
  }

  close(): void {
    this.socket.destroy();
  }

  #read(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3);
      if (this.#rest.length < 9 + length) return;
      const [type, flags] = [this.#rest[3]!, this.#rest[4]!];
      const payload = this.#rest.subarray(9, 9 + length);
      this.frames.push({ type, flags, stream: this.#rest.readUInt32BE(5), payload });
      this.#rest = this.#rest.subarray(9 + length);
    }
  }
}

export function frame(
  type: number,
  { flags = 0, stream = 0, payload = Buffer.alloc(0) }: Partial<Frame>,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK without its table: literal fields that are not indexed (RFC 7541, 6.2.2). */
export function literals(fields: [string, string][]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(bytes.length), bytes]);
}

/** With a prefix of 7 bits (RFC 7541, 5.1). */
function integer(value: number): Buffer {
  if (value < 127) return Buffer.from([value]);
  const bytes = [127];
  let left = value - 127;
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128);
  return Buffer.from([...bytes, left]);
}
