import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { Journal } from '../../runtime/journal.ts';
import { BASE, EngineProcess, missingForContainers } from './engine-process.ts';
import { DOCKER } from './engine-suite.ts';

describe('a runtime on a full disk', function () {
  this.timeout(60_000);
  const engine = new EngineProcess();
  const filler = join(engine.root, 'filler');

  before(async function () {
    if (missingForContainers() || !existsSync(DOCKER)) return this.skip();
    mkdirSync(engine.root);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', engine.root]);
    await engine.start();
  });
  after(async () => {
    if (!engine.used) return;
    await engine.removeContainers();
    await engine.end('SIGTERM');
    await unmount(engine.root);
    rmSync(engine.root, { recursive: true });
  });

  const names = async () =>
    (await engine.output('ps', '-a', '--format', '{{.Names}}')).trim().split('\n').sort();
  const create = (name: string) => engine.client('create', '--name', name, BASE, 'sleep', '99');

  it('says so, keeps what it acknowledged, lets go of what is removed, and recovers when there is room', async () => {
    for (const name of ['one', 'two', 'three']) assert.equal((await create(name)).code, 0);
    await engine.output('start', 'two');
    fillUp(filler);
    const refused = await engine.client('network', 'create', 'more');
    assert.match(refused.stderr, /no space left on the disk of the runtime’s data\. Make room/);
    assert.doesNotMatch(await engine.output('network', 'ls'), /more/);
    await engine.output('rm', 'one');
    fillUp(filler);
    await engine.output('kill', 'two');
    await engine.end('SIGKILL');
    fillUp(filler);
    await engine.start();
    assert.deepEqual(
      await names(),
      ['three', 'two'],
      'it starts on a full disk, and what was removed stays so',
    );
    assert.match(await engine.output('ps', '-a', '--filter', 'name=two'), /Exited \(137\)/);
    await engine.output('rm', 'three');
    rmSync(filler);
    assert.equal((await create('four')).code, 0);
    await engine.output('start', 'four');
    await engine.end('SIGKILL');
    await engine.start();
    assert.deepEqual(await names(), ['four', 'two']);
  });
});

describe('Journal on a full disk', () => {
  const folder = `/var/tmp/paas-full-${process.pid}`;
  /** Its snapshots are what was read. */
  function open(): { journal: Journal<number>; found: number[] } {
    const journal: Journal<number> = new Journal(folder, { snapshot: () => found });
    const found: number[] = journal.read();
    return { journal, found };
  }
  let isMounted = false;

  before(function () {
    if (process.getuid?.() !== 0) return this.skip();
    mkdirSync(folder);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
    isMounted = true;
  });
  after(async () => {
    if (!isMounted) return;
    await unmount(folder);
    rmSync(folder, { recursive: true });
  });

  it('refuses what does not fit, and gives back exactly what it took, also when it is opened on the full disk', async () => {
    const first = open();
    first.journal.begin();
    const taken: number[] = [];
    assert.throws(() => addTo(first.journal, taken, 1e6), { code: 'ENOSPC' });
    assert.ok(taken.length > 1000, `${taken.length}`);
    await first.journal.close();
    fillUp(join(folder, 'filler'));

    const second = open();
    assert.deepEqual(second.found, taken);
    second.journal.begin();
    assert.throws(() => addTo(second.journal, taken, 10_000), { code: 'ENOSPC' });
    await second.journal.close();

    execFileSync('mount', ['-o', 'remount,size=1m', folder]);
    const third = open();
    assert.deepEqual(third.found, taken);
    third.journal.begin();
    addTo(third.journal, taken, 100);
    await third.journal.close();
    assert.deepEqual(open().found, taken);
  });
});

/** What the journal has taken stands in `taken` afterwards. */
function addTo(journal: Journal<number>, taken: number[], count: number): void {
  for (let value = 0; value < count; value++) {
    journal.add(value);
    taken.push(value);
  }
}

/** Until not one byte more goes into it. */
function fillUp(path: string): void {
  const fd = openSync(path, 'a');
  try {
    for (const size of [1 << 20, 4096, 1]) {
      const bytes = Buffer.alloc(size);
      while (tryWrite(fd, bytes));
    }
  } finally {
    closeSync(fd);
  }
}

function tryWrite(fd: number, bytes: Buffer): boolean {
  try {
    return writeSync(fd, bytes) > 0;
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    return false;
  }
}

/** The runtime's helpers end a moment after it. */
async function unmount(folder: string): Promise<void> {
  const busy = () => spawnSync('umount', [folder], { stdio: 'ignore' }).status !== 0;
  for (let tries = 0; busy(); tries++) {
    assert.ok(tries < 100, `"${folder}" stays busy`);
    await sleep(100);
  }
}
