import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, it } from 'mocha';
import { createTransport } from '../../../../deploy/tls/acme/acme-transport.ts';

describe('createTransport()', () => {
  for (const [what, begun] of [
    ['says nothing', ''],
    ['does not end its answer', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na'],
  ]) {
    it(`an authority that ${what} is told in words`, async () => {
      const sockets: Socket[] = [];
      const server = createServer((socket) => {
        sockets.push(socket.on('error', () => {}));
        socket.write(begun!);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/directory`;
      const answer = createTransport({ timeout: 300 })('GET', url, { signal: new AbortController().signal });
      await assert.rejects(
        answer,
        /^AcmeError: 127\.0\.0\.1:\d+ cannot be reached: no answer within 0\.3 seconds$/,
      );
      for (const socket of sockets) socket.destroy();
      server.close();
    });
  }
});
