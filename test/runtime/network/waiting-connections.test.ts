import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it } from 'mocha';
import { countSockets, countWaiting, sumWaiting } from '../../../runtime/network/waiting-connections.ts';

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

  it('countSockets() counts those of a process’s network, and of the machine', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    try {
      assert.ok(countSockets(process.pid) >= 1);
      assert.ok(countSockets() >= 1);
      assert.equal(countSockets(2 ** 30), 0);
    } finally {
      server.close();
    }
  });

  it('countWaiting() is 0 of a process that there is not', () => {
    assert.equal(countWaiting(2 ** 30, 1), 0);
  });
});
