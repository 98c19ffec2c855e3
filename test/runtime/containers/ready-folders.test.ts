import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { ReadyFolders } from '../../../runtime/containers/ready-folders.ts';
import { Trash } from '../../../runtime/trash.ts';
import { until } from '../../fixtures/until.ts';

const FEW = 8;

describe('ReadyFolders', () => {
  let root: string;
  let trash: Trash;
  let folders: ReadyFolders;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'paas-ready-'));
    trash = new Trash(join(root, 'trash'), async ([program, ...args]) => {
      execFileSync(program!, args);
    });
    trash.open();
    execFileSync('mkdir', [join(root, 'containers'), join(root, 'output')]);
    folders = new ReadyFolders({ folder: join(root, 'containers'), output: join(root, 'output') }, trash);
  });
  afterEach(async () => {
    await folders.close();
    await trash.emptied();
    rmSync(root, { recursive: true, force: true });
  });

  const there = () => readdirSync(join(root, 'containers'));
  const outputs = () => readdirSync(join(root, 'output'));
  const path = (...names: string[]) => join(root, 'containers', ...names);
  /** Whole ones: `exit` comes last. */
  const ready = () => there().filter((id) => existsSync(path(id, 'exit')));

  it('makes a few, whose names are the ids of the next containers, and more when some are taken', async () => {
    folders.open();
    await until(() => ready().length === FEW);
    const id = folders.nextId();
    assert.deepEqual(readdirSync(path(id)).sort(), ['exit']);
    assert.ok(outputs().includes(id));
    folders.take(id);
    assert.notEqual(folders.nextId(), id);
    await until(() => ready().length === FEW + 1);
    await folders.close();
    await trash.emptied();
    // What nobody took is gone, what was taken is there.
    assert.deepEqual([there(), outputs()], [[id], [id]]);
    folders.removeOutput(id);
    assert.deepEqual(outputs(), []);
  });

  it('makes one at once when none is ready, and says when it cannot', () => {
    const id = folders.nextId();
    folders.take(id);
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.deepEqual(readdirSync(path(id)), []);
    rmSync(path(), { recursive: true });
    assert.throws(() => folders.take(folders.nextId()), { code: 'ENOENT' });
  });

  it('goes on after it could not make one', async () => {
    rmSync(path(), { recursive: true });
    folders.open();
    await sleep(400);
    execFileSync('mkdir', [path()]);
    folders.take(folders.nextId());
    await until(() => ready().length === FEW);
  });
});
