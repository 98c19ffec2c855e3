import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, it } from 'mocha';
import {
  countSockets,
  countSocketsOf,
  countWaiting,
  sumWaiting,
} from '../../../runtime/network/waiting-connections.ts';

/** Has so many sockets that listen, each with a connection that waits. */
const LISTENER =
  'use Socket; $| = 1; for (1..$ARGV[0]) { socket(my $l, AF_INET, SOCK_STREAM, 0); bind($l, sockaddr_in(0, INADDR_LOOPBACK)); listen($l, 9); socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, getsockname($l)); push @kept, $l, $s } print "ready\\n"; sleep 99';

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const line = (state: string, received: string) =>
  `   0: 0100007F:1F90 00000000:0000 ${state} 00000000:${received} 00:00000000 00000000     0        0 12345 1 0000`;

describe('waiting connections', () => {
  it('sumWaiting() adds up what waits at sockets that listen', () => {
    const lines = [HEAD, line('0A', '00000010'), line('0A', '00000001')];
    assert.deepEqual(sumWaiting(lines), { waiting: 17, isLast: false });
  });

  it('sumWaiting() knows when there are no more of them', () => {
    const lines = [line('0A', '00000002'), line('01', '00000400')];
    assert.deepEqual(sumWaiting(lines), { waiting: 2, isLast: true });
    assert.deepEqual(sumWaiting([HEAD]), { waiting: 0, isLast: false });
  });

  it('countSocketsOf() counts those of a process’s network, with either version of IP', async () => {
    const before = await countSocketsOf(process.pid);
    const servers = ['127.0.0.1', '::1'].map((host) => createServer().listen(0, host));
    await Promise.all(servers.map((server) => once(server, 'listening')));
    try {
      assert.ok((await countSocketsOf(process.pid)) >= before + 2);
      assert.ok((await countSockets()) >= 2);
      assert.equal(await countSocketsOf(2 ** 30), 0);
    } finally {
      for (const server of servers) server.close();
    }
  });

  it('countWaiting() counts what waits at more sockets than the kernel tells of at once', async () => {
    const listener = spawn('perl', ['-e', LISTENER, '80'], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      await once(listener.stdout, 'data');
      // Others may listen here, too.
      assert.ok((await countWaiting(listener.pid!, 1000)) >= 80);
      assert.ok((await countWaiting(listener.pid!, 10)) < 80, 'it knows when it is enough');
    } finally {
      listener.kill('SIGKILL');
    }
  });

  it('countWaiting() is 0 of a process that there is not', async () => {
    assert.equal(await countWaiting(2 ** 30, 1), 0);
  });
});
