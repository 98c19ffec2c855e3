import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { listenOnSocket } from '../../../runtime/api/sockets.ts';

describe('listenOnSocket()', () => {
  it('lets nobody else in, and changes no mode of what is made at the same time', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'paas-sockets-'));
    const server = createServer();
    const before = process.umask();
    try {
      const path = join(folder, 'sock');
      const listening = listenOnSocket(server, path, undefined);
      assert.equal(process.umask(), before);
      await listening;
      assert.equal(statSync(path).mode & 0o777, 0o600);
    } finally {
      process.umask(before);
      server.close();
      rmSync(folder, { recursive: true });
    }
  });
});
