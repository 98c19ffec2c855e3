import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'mocha';
import { openCgroups } from '../../runtime/cgroups/cgroups.ts';
import { instanceTag } from '../../runtime/containers/instance-tag.ts';
import { Random, seedFrom } from '../fixtures/random.ts';
import { kernelTraces, leftovers } from './engine-leftovers.ts';
import { BASE, type EngineProcess } from './engine-process.ts';
import { engineSuite } from './engine-suite.ts';
import { KillLedger } from './kill-ledger.ts';

const SEED = seedFrom('KILL_SEED');
const KILLS = Number(process.env.KILLS ?? 6);
const LANES = 4;

describe(`a runtime that is killed at random moments (KILL_SEED=${SEED} KILLS=${KILLS})`, function () {
  this.timeout(60_000 + KILLS * 20_000);
  const engine = engineSuite();

  after(() => {
    if (engine.used) assert.deepEqual(kernelTraces(engine.root), []);
  });

  it('loses nothing that it acknowledged, and leaves nothing behind', async () => {
    const random = new Random(SEED);
    const ledger = new KillLedger(engine.docker, random);
    let done = 0;
    for (let round = 1; round <= KILLS; round++) {
      const lanes = Promise.all(Array.from({ length: LANES }, () => ledger.lane()));
      await new Promise((resolve) => setTimeout(resolve, 20 + random.below(600)));
      await engine.end('SIGKILL');
      // An answer that was cut off half-way never ends for the client.
      await Promise.race([lanes, new Promise((resolve) => setTimeout(resolve, 300))]);
      done += ledger.entries.length;
      await engine.start();
      const problems = [
        ...(await ledger.disagreements()),
        ...(await remaining(engine)),
        ...(await ledger.halfImages()),
      ];
      await ledger.clear();
      problems.push(...(await remaining(engine)));
      assert.deepEqual(problems, [], `after kill ${round}`);
    }
    // Else nothing was going on when the kills came.
    assert.ok(done > KILLS * 3, `only ${done} containers`);
  });

  it('control: what is left behind is found', async () => {
    const stray = 'f'.repeat(64);
    const cgroups = openCgroups(instanceTag(join(engine.root, 'run')));
    const folders = ['containers', 'output', 'layers'].map((name) =>
      join(engine.root, 'data/runtime', name, stray),
    );
    const mounted = join(engine.root, 'mounted');
    for (const folder of [...folders, mounted]) mkdirSync(folder);
    // An empty one may have been made in advance.
    writeFileSync(join(folders[0]!, 'log'), '');
    for (const { call, args } of cgroups.enter(stray)) {
      if (call === 'mkdirat') mkdirSync(args[1] as string);
    }
    spawnSync('mount', ['-t', 'tmpfs', 'none', mounted]);
    try {
      const found = await leftovers(engine.docker, engine.root);
      assert.deepEqual(found.map((text) => text.split(' ')[0]).sort(), ['2', 'folder', 'mount', 'output']);
    } finally {
      spawnSync('umount', [mounted]);
      for (const folder of [...folders, mounted]) rmSync(folder, { recursive: true });
      await cgroups.remove(stray);
    }
  });

  it('control: a container and an image that are lost are found', async () => {
    const ledger = new KillLedger(engine.docker, new Random(1));
    const { id } = await engine.docker.createContainer({ Image: BASE, Cmd: ['true'] });
    ledger.entries.push({ name: 'kept', id, asked: 'nothing', state: 'running' });
    ledger.entries.push({ name: 'lost', id: 'e'.repeat(64), asked: 'start', state: 'created' });
    ledger.entries.push({ name: 'back', id, asked: 'nothing', state: 'removed' });
    ledger.images.push('test/step:lost');
    assert.deepEqual(await ledger.disagreements(), [
      'kept ran, and is created',
      'lost was created, and is lost',
      'back was removed, and is there',
      'the image test/step:lost is lost',
    ]);
    await engine.removeContainers();
  });
});

/** Leftovers that do not go by themselves: folders are removed in the background. */
async function remaining({ docker, root }: EngineProcess): Promise<string[]> {
  for (let tries = 0; ; tries += 1) {
    const left = await leftovers(docker, root);
    if (left.length === 0 || tries === 50) return left;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
