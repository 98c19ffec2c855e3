import { Writable } from 'node:stream';

export const STDOUT = 1;
export const STDERR = 2;
/** What the daemon has to say of its own; docker prints it as an error and exits with 1 (moby, pkg/stdcopy). */
export const SYSTEM_ERROR = 3;

type Stream = typeof STDOUT | typeof STDERR | typeof SYSTEM_ERROR;

/**
 * One frame of the Engine API's multiplexed streams (containers without a terminal):
 *
 *   | stream: 1 byte | 0 0 0 | length: 4 bytes, big-endian | payload |
 */
export function frame(stream: Stream, payload: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(8 + payload.length);
  framed.writeUInt32BE(stream << 24, 0);
  framed.writeUInt32BE(payload.length, 4);
  framed.set(payload, 8);
  return framed;
}

/**
 * A stream whose chunks come to `target` as frames, at its pace. Several may share a target; ending one does not end it.
 * It is destroyed with its target.
 */
export function frameStream(stream: typeof STDOUT | typeof STDERR, target: Writable): Writable {
  const frames = new Writable({
    write: (chunk, _, done) => {
      if (target.write(frame(stream, chunk))) done();
      else target.once('drain', done);
    },
  });
  frames.on('error', () => {});
  target.once('close', () => frames.destroy());
  return frames;
}
