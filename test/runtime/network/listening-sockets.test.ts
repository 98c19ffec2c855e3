import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'mocha';
import { listeningSockets, parseListening } from '../../../runtime/network/listening-sockets.ts';

describe('listeningSockets()', () => {
  it('tells where a process can be reached from outside, and where not', async () => {
    const servers = ['127.0.0.1', '0.0.0.0', '::1', '::'].map((host) => createServer().listen(0, host));
    await Promise.all(servers.map((server) => once(server, 'listening')));
    const found = listeningSockets(process.pid);
    for (const [index, loopback] of [true, false, true, false].entries()) {
      const { port } = servers[index]!.address() as { port: number };
      assert.deepEqual(
        found.filter((socket) => socket.port === port),
        [{ port, loopback }],
      );
    }
    for (const server of servers) server.close();
  });

  it('knows an IPv4 address in the clothes of IPv6, and leaves connections out', () => {
    const line = (address: string, state: string) => `0: ${address}:0BB8 00000000:0000 ${state} 0 0`;
    const mapped = '0000000000000000FFFF00000100007F';
    assert.deepEqual(parseListening(line(mapped, '0A')), [{ port: 3000, loopback: true }]);
    assert.deepEqual(parseListening(line('0100007F', '01')), []);
  });
});
