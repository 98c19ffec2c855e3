import { createHash } from 'node:crypto';
import { PassThrough, type Readable, Writable } from 'node:stream';
import { EngineError } from '../engine-error.ts';
import type { Exchange } from './exchange.ts';

/** RFC 6455, section 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };
const MAX_FRAME = 1024 * 1024;

/** Answers the handshake of a web socket, whose messages are then two streams of bytes; see RFC 6455. Throws `invalid`. */
export function acceptWebSocket(exchange: Exchange): { input: Readable; output: Writable } {
  const { headers } = exchange.request;
  const key = headers['sec-websocket-key'];
  const isHandshake = headers.upgrade?.toLowerCase() === 'websocket' && /^[\w+/]{22}==$/.test(key ?? '');
  if (!isHandshake || headers['sec-websocket-version'] !== '13')
    throw new EngineError('invalid', 'This is no handshake of a web socket (version 13).');
  const accept = createHash('sha1')
    .update(key + GUID)
    .digest('base64');
  const socket = exchange.upgrade({ Upgrade: 'websocket', 'Sec-WebSocket-Accept': accept });
  const input = new PassThrough();
  const output = sentMessages(socket.output);
  void receiveMessages(socket.input, { input, send: (frame) => socket.output.write(frame) })
    .catch(() => {})
    .finally(() => {
      input.end();
      output.end();
    });
  socket.output.once('close', () => {
    input.destroy();
    output.destroy();
  });
  return { input, output };
}

/** What is written there goes out in binary messages; its end, and that of the socket, is the close message. */
function sentMessages(socket: Writable): Writable {
  const output = new Writable({
    write: (chunk, _, done) => {
      if (socket.write(frameOf(OPCODE.binary, chunk))) done();
      else socket.once('drain', done);
    },
    final: (done) => {
      const NORMAL = Buffer.from([1000 >> 8, 1000 & 0xff]);
      socket.end(frameOf(OPCODE.close, NORMAL), done);
    },
  });
  output.on('error', () => {});
  return output;
}

/** A server's frames are not masked. */
function frameOf(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

/** Returns at the close message or the end of the connection. Throws for what is no frame of a client. */
async function receiveMessages(
  socket: Readable,
  to: { input: Writable; send: (frame: Buffer) => void },
): Promise<void> {
  let pending: Buffer = Buffer.alloc(0);
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    pending = Buffer.concat([pending, chunk]);
    for (let frame = parseFrame(pending); frame; frame = parseFrame(pending)) {
      pending = pending.subarray(frame.size);
      if (frame.opcode === OPCODE.close) return;
      if (frame.opcode === OPCODE.ping) to.send(frameOf(OPCODE.pong, frame.payload));
      else if (frame.opcode <= OPCODE.binary && !to.input.write(frame.payload)) await drained(to.input);
    }
  }
}

/** The first frame in `bytes`, unmasked; undefined if it is not complete. */
function parseFrame(bytes: Buffer): { opcode: number; payload: Buffer; size: number } | undefined {
  if (bytes.length < 2) return undefined;
  const code = bytes[1]! & 0x7f;
  const head = code < 126 ? 2 : code === 126 ? 4 : 10;
  if (bytes.length < head) return undefined;
  const length = code < 126 ? code : code === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if ((bytes[1]! & 0x80) === 0 || length > MAX_FRAME) throw new Error('not masked, or too long');
  const size = head + 4 + length;
  if (bytes.length < size) return undefined;
  const mask = bytes.subarray(head, head + 4);
  const payload = Buffer.from(bytes.subarray(head + 4, size));
  for (let at = 0; at < length; at++) payload[at]! ^= mask[at & 3]!;
  return { opcode: bytes[0]! & 0xf, payload, size };
}

function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.once('drain', resolve);
    stream.once('close', resolve);
  });
}
