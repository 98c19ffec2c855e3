import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { localAddress } from '../../../server/host/passed-sockets.ts';

const MODULE = join(import.meta.dirname, '../../../server/host/passed-sockets.ts');

describe('PassedSockets', () => {
  /** What a process with a socket as descriptor 3 finds for two addresses. */
  async function found(
    listenPid: string,
  ): Promise<{ wanted: number | undefined; other: number | undefined }> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    const script = `
      const { PassedSockets } = await import(${JSON.stringify(MODULE)});
      const sockets = new PassedSockets({ LISTEN_PID: ${listenPid}, LISTEN_FDS: '1' });
      const find = (host) => sockets.find({ host, port: ${port} })?.fd();
      console.log(JSON.stringify({ wanted: find('127.0.0.1'), other: find('0.0.0.0') }));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit', fd],
    });
    const [text] = await once(child.stdout!, 'data');
    server.close();
    return JSON.parse(String(text));
  }

  it('finds the socket that listens on an address, and none for another', async () => {
    assert.deepEqual(await found('String(process.pid)'), { wanted: 3 });
  });

  it('takes no descriptor that was meant for another process', async () => {
    assert.deepEqual(await found("'1'"), {});
  });
});

describe('localAddress()', () => {
  it('reads the address in the order of the bytes on the network', () => {
    const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0`;
    assert.equal(localAddress(table, '4711'), '127.0.0.1:8080');
    assert.equal(localAddress(table, '4712'), undefined);
  });
});
