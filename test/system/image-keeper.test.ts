import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { STEP_REPOSITORY } from '../../deploy/build/image-builder.ts';
import { ImageKeeper } from '../../deploy/build/image-keeper.ts';
import { Engine } from '../../deploy/engine.ts';
import { BASE, EngineProcess, missingForContainers } from './engine-process.ts';

describe('ImageKeeper', function () {
  this.timeout(120_000);
  const runtime = new EngineProcess();
  let engine: Engine;

  before(async function () {
    if (missingForContainers()) return this.skip();
    await runtime.start();
    engine = new Engine(join(runtime.root, 'run', 'engine.sock'), { diskLimit: 0 });
  });

  after(() => runtime.remove());

  /** An image with one more file, as a build makes it. */
  async function build(image: string, tag: string): Promise<string> {
    const id = await engine.create({
      image,
      command: ['sh', '-c', `echo ${tag} > /tmp/${tag}`],
      env: {},
      workingDir: '/',
      user: 'app',
      network: false,
      labels: { 'paas.kind': 'build' },
    });
    await engine.start(id);
    assert.equal(await engine.wait(id), 0);
    const made = await engine.commit(id, { repo: STEP_REPOSITORY, tag, env: {}, drop: [] });
    await engine.remove(id);
    return made;
  }

  it('removes what no release stands on, and its layers', async () => {
    const npm = await build(BASE, 'npm');
    const [old, current] = [await build(npm, 'old'), await build(npm, 'current')];
    const layers = () => readdirSync(join(runtime.root, 'data', 'runtime', 'layers')).length;
    const before = layers();
    const problems: string[] = [];
    let wanted = new Set([old, current]);
    const keeper = new ImageKeeper({
      engine,
      wanted: () => wanted,
      isBuilding: () => false,
      log: (text) => problems.push(text),
    });
    const later = Date.now() + 2 * 60 * 60 * 1000;
    await keeper.sweep(later);
    assert.equal(layers(), before);
    wanted = new Set([current]);
    await keeper.sweep();
    assert.ok(await engine.findImage(old), 'too young to go');
    await keeper.sweep(later);
    assert.equal(await engine.findImage(old), undefined);
    assert.ok(await engine.findImage(npm));
    assert.equal((await engine.findImage(`${STEP_REPOSITORY}:current`))?.id, current);
    assert.equal(layers(), before - 1);
    keeper.close();
    assert.deepEqual(problems, []);
  });
});
