import assert from 'node:assert/strict';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { testSubnet } from '../fixtures/test-subnet.ts';
import { BASE, EngineProcess, missingForContainers } from './engine-process.ts';
import { DOCKER } from './engine-suite.ts';
import { FailingDisk } from './failing-disk.ts';

const REPORTS_ERRORS = /The disk of the runtime’s data reports errors\. Look into the kernel’s log/;
const READ_ONLY = /The disk of the runtime’s data can only be read\. Look into the kernel’s log/;

describe('a runtime whose disk reports errors', function () {
  this.timeout(60_000);
  const { engine, disk, create, names, outputFiles } = brokenDiskSuite({
    subnet: testSubnet('failing disk'),
    journal: false,
  });

  it('refuses what needs the disk and says why, ends what is to end, and works again afterwards', async () => {
    await engine.output('run', '--name', 'ended', BASE, 'sh', '-c', 'echo kept >/tmp/file; echo said');
    for (const name of ['one', 'two', 'three'])
      await engine.output('run', '-d', '--name', name, BASE, ...TALK);
    await create('later');
    await engine.output('run', '--name', 'untouched', BASE, 'sh', '-c', 'echo kept >/tmp/file');
    const before = await names();
    await until(async () => (await engine.output('logs', 'one')).includes('talk'));

    const files = outputFiles();
    disk.fail();
    for (const file of files) disk.forget(file);
    const refused = await Promise.all([
      engine.client('logs', 'ended'),
      engine.client('commit', 'ended', 'test/refused:v1'),
      engine.client('network', 'create', 'refused'),
      engine.client('volume', 'create', 'refused'),
    ]);
    for (const { code, stderr } of refused) {
      assert.equal(code, 1);
      assert.match(stderr, REPORTS_ERRORS);
    }
    assert.doesNotMatch(await engine.output('images'), /test\/refused/);
    await engine.output('stop', '-t', '5', 'one');
    await engine.output('kill', 'two');
    await until(async () =>
      (await engine.output('ps', '-a', '--filter', 'name=two')).includes('Exited (137)'),
    );
    let count = 0;
    const refusal = await until(async () => {
      const attempt = await create(`before-${count++}`);
      return attempt.code !== 0 && attempt;
    });
    assert.match(refusal.stderr, REPORTS_ERRORS, 'what is not on the disk is not acknowledged any more');
    assert.match(await engine.output('ps', '--filter', 'name=three'), /Up /);

    disk.mend();
    await until(async () => (await create('after')).code === 0);
    await engine.output('kill', 'three');
    await engine.end('SIGKILL');
    // What the kernel only had in memory is gone then, as after a power cut.
    await disk.remount();
    await engine.start();
    const known = await names();
    for (const name of [...before, 'after']) assert.ok(known.includes(name), `${name} is lost`);
    assert.equal(await engine.output('logs', 'ended'), 'said\n');
    await engine.output('commit', 'untouched', 'test/step:v1');
    assert.equal(await engine.output('run', '--rm', 'test/step:v1', 'cat', '/tmp/file'), 'kept\n');
  });
});

describe('a runtime whose disk can only be read', function () {
  this.timeout(60_000);
  const { engine, disk, create, names } = brokenDiskSuite({
    subnet: testSubnet('read-only disk'),
    journal: true,
  });

  it('refuses what it would have to write and says why, shows and ends containers, also as the next one, and works again afterwards', async () => {
    await engine.output('run', '--name', 'ended', BASE, 'sh', '-c', 'echo kept >/tmp/file; echo said');
    await engine.output('volume', 'create', 'volume');
    await engine.output('network', 'create', 'network');
    for (const name of ['one', 'two', 'three'])
      await engine.output('run', '-d', '--name', name, BASE, ...TALK);
    await create('later');
    const known = await names();

    disk.becomeReadOnly();
    // A kernel that takes what is written and refuses only to sync it (6.1) has half a second for it.
    let count = 0;
    await until(async () => (await create(`early-${count++}`)).code !== 0);
    const refuses = async () => {
      for (const command of [
        ['create', '--name', 'more', BASE, 'true'],
        ['start', 'later'],
        ['commit', 'ended', 'test/refused:v1'],
        ['network', 'create', 'more'],
        ['network', 'rm', 'network'],
        ['volume', 'create', 'more'],
        ['volume', 'rm', 'volume'],
      ]) {
        const { code, stderr } = await engine.client(...command);
        assert.equal(code, 1, command.join(' '));
        assert.match(stderr, READ_ONLY, command.join(' '));
      }
      assert.equal(await engine.output('logs', 'ended'), 'said\n');
      assert.deepEqual(await names(), known);
    };
    await refuses();
    await engine.output('stop', '-t', '5', 'one');
    await engine.output('kill', 'two');
    await until(async () => (await engine.output('ps', '--format', '{{.Names}}')) === 'three\n');

    await engine.end('SIGKILL');
    await engine.start();
    await refuses();
    assert.match((await engine.client('rm', 'ended')).stderr, READ_ONLY);
    assert.equal(await engine.output('ps', '--format', '{{.Names}}'), 'three\n');
    await engine.output('kill', 'three');

    await engine.end('SIGKILL');
    await disk.remount();
    await engine.start();
    assert.deepEqual(await names(), known);
    assert.equal((await create('more')).code, 0);
    await engine.output('start', 'later', 'one');
    await engine.output('commit', 'ended', 'test/step:v1');
  });
});

const TALK = ['sh', '-c', 'while :; do echo talk; sleep 0.1; done'];

/** A runtime with its data on a disk of its own. */
function brokenDiskSuite({ subnet, journal }: { subnet: string; journal: boolean }) {
  const engine = new EngineProcess(subnet);
  const disk = new FailingDisk(join(engine.root, 'data'), { journal });
  before(async function () {
    if (missingForContainers() || !existsSync(DOCKER) || !FailingDisk.isPossible) return this.skip();
    disk.mount();
    await engine.start();
  });
  after(async () => {
    if (!engine.used) return;
    await engine.removeContainers();
    await engine.end('SIGTERM');
    await disk.remove();
    rmSync(engine.root, { recursive: true });
  });
  return {
    engine,
    disk,
    create: (name: string) => engine.client('create', '--name', name, BASE, ...TALK),
    /** Of all containers but those that were made before the disk was known to refuse them. */
    names: async () =>
      (await engine.output('ps', '-a', '--format', '{{.Names}}'))
        .trim()
        .split('\n')
        .filter((name) => !name.startsWith('early-'))
        .sort(),
    /** Logs and output of containers. */
    outputFiles: () => {
      const data = join(disk.folder, 'runtime');
      return readdirSync(data, { recursive: true, encoding: 'utf8' })
        .filter((path) => /^(containers\/\w+\/log|output\/\w+)$/.test(path))
        .map((path) => join(data, path));
    },
  };
}

async function until<T>(look: () => Promise<T>): Promise<Exclude<T, false>> {
  for (let tries = 0; tries < 100; tries++) {
    const found = await look();
    if (found) return found as Exclude<T, false>;
    await sleep(100);
  }
  throw new Error('It did not come to that.');
}
