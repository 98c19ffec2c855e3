import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Trash } from '../../runtime/trash.ts';

describe('Trash', () => {
  let root: string;
  let trash: Trash;
  let calls: number;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'paas-trash-'));
    calls = 0;
    trash = new Trash(join(root, 'trash'), async ([program, ...args]) => {
      calls++;
      execFileSync(program!, args);
    });
    trash.open();
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const folder = (name: string) => {
    mkdirSync(join(root, name));
    writeFileSync(join(root, name, 'file'), '');
    return join(root, name);
  };

  it('removes what is discarded together by one program, and frees the names at once', async () => {
    for (const name of ['a', 'b', 'c']) trash.discard(folder(name));
    assert.deepEqual(readdirSync(root), ['trash']);
    for (const name of ['d', 'e']) trash.remove(folder(name));
    await trash.emptied();
    assert.deepEqual([readdirSync(root), readdirSync(join(root, 'trash'))], [['trash'], []]);
    assert.equal(calls, 1);
  });

  it('misses nothing that comes at the moment when it is done', async () => {
    for (let round = 0; round < 5; round++) {
      trash.remove(folder(`first${round}`));
      const emptied = trash.emptied();
      let second: string | undefined;
      // In the very turn in which the work ends.
      await emptied.then(() => {
        second = folder(`second${round}`);
        trash.remove(second);
      });
      await trash.emptied();
      assert.ok(!existsSync(second!));
    }
  });

  it('removes at the next start what an earlier process left', async () => {
    mkdirSync(join(root, 'trash', 'left'));
    trash.open();
    await trash.emptied();
    assert.deepEqual(readdirSync(join(root, 'trash')), []);
  });
});
