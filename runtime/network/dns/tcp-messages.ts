import type { Socket } from 'node:net';

const PREFIX = 2;

/** A message as it goes over TCP: behind its length (RFC 1035, section 4.2.2). */
export function prefixed(message: Buffer): Buffer {
  const length = Buffer.alloc(PREFIX);
  length.writeUInt16BE(message.length, 0);
  return Buffer.concat([length, message]);
}

/** Calls back with each whole message of a connection, and ends it at one that is longer than `limit` bytes. */
export function readMessages(socket: Socket, limit: number, onMessage: (message: Buffer) => void): void {
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= PREFIX) {
      const length = rest.readUInt16BE(0);
      if (length > limit) return void socket.destroy();
      if (rest.length < PREFIX + length) return;
      onMessage(rest.subarray(PREFIX, PREFIX + length));
      rest = rest.subarray(PREFIX + length);
    }
  });
}
