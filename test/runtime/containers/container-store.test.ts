import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { ContainerConfig } from '../../../runtime/containers/container-config.ts';
import { ContainerStore } from '../../../runtime/containers/container-store.ts';
import type { ContainerState } from '../../../runtime/containers/state.ts';
import { Trash } from '../../../runtime/trash.ts';

const RUNNING: ContainerState = {
  status: 'running',
  startedAt: '2026-11-21T00:00:00.000Z',
  process: { pid: 5, startTime: '7', address: '10.0.0.1', exitFile: '/x/exit' },
  stopping: false,
  restarts: { count: 0, delay: 0 },
};

describe('ContainerStore', () => {
  let root: string;
  let trash: Trash;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'paas-store-'));
    mkdirSync(join(root, 'output'));
    trash = new Trash(join(root, 'trash'), async ([program, ...args]) => {
      execFileSync(program!, args);
    });
    trash.open();
  });
  const opened: ContainerStore[] = [];
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close();
    await trash.emptied();
    rmSync(root, { recursive: true });
  });

  const config = (id: string) => ({ id, name: `name-${id}`, layers: [] }) as unknown as ContainerConfig;
  const folder = (id: string) => join(root, 'containers', id);
  const open = () => {
    const store = new ContainerStore(
      { containers: join(root, 'containers'), records: join(root, 'records'), output: join(root, 'output') },
      trash,
    );
    opened.push(store);
    return { store, found: new Map(store.open().map((stored) => [stored.config.id, stored])) };
  };

  it('finds containers again with their last state, without having been closed', () => {
    const { store } = open();
    for (const id of ['one', 'two', 'three'])
      store.create({ config: config(id), state: { status: 'created' } });
    store.saveState('two', RUNNING);
    store.saveConfig({ ...config('two'), name: 'renamed' });
    store.remove('three');
    const { found } = open();
    assert.deepEqual([...found.keys()].sort(), ['one', 'two']);
    assert.deepEqual(found.get('one'), { config: config('one'), state: { status: 'created' } });
    assert.deepEqual(found.get('two'), { config: { ...config('two'), name: 'renamed' }, state: RUNNING });
    assert.deepEqual(readdirSync(join(root, 'containers')).sort(), ['one', 'two']);
  });

  it('finds the same a third time, when the records were written anew', () => {
    const { store } = open();
    store.create({ config: config('one'), state: { status: 'created' } });
    store.saveState('one', RUNNING);
    open();
    assert.deepEqual(open().found.get('one'), { config: config('one'), state: RUNNING });
  });

  it('discards a folder without a record, and makes one that a power cut took', () => {
    const { store } = open();
    store.create({ config: config('one'), state: { status: 'created' } });
    rmSync(folder('one'), { recursive: true });
    mkdirSync(folder('stranger'));
    const { found } = open();
    assert.deepEqual([...found.keys()], ['one']);
    assert.ok(existsSync(folder('one')));
    assert.ok(!existsSync(folder('stranger')));
  });

  it('takes over the files of version 0.1', () => {
    mkdirSync(folder('old'), { recursive: true });
    writeFileSync(join(folder('old'), 'config.json'), JSON.stringify(config('old')));
    writeFileSync(join(folder('old'), 'state.json'), JSON.stringify(RUNNING));
    open();
    assert.deepEqual(open().found.get('old'), { config: config('old'), state: RUNNING });
  });
});
