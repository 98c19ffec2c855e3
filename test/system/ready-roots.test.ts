import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { until } from '../fixtures/until.ts';
import { parkedProcesses } from './engine-leftovers.ts';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

describe('root file systems mounted in advance', function () {
  this.timeout(120_000);
  const engine = engineSuite([DOCKER]);

  const waiting = () => parkedProcesses(engine.root).length;

  /** Starts one in a sandbox that waits. Resolves with its id. */
  async function start(name: string, image: string, ...more: string[]): Promise<string> {
    await until(() => waiting() >= LEAST);
    return (await engine.output('run', '-d', '--name', name, ...more, image, ...SLEEP)).trim();
  }

  /** Whatever waits then was made after the first of these. */
  async function startOthers(image: string, ...more: string[]): Promise<void> {
    await start('first', image, ...more);
    const earlier = parkedProcesses(engine.root);
    for (const pid of earlier) process.kill(pid, 'SIGKILL');
    await until(() => !earlier.some((pid) => existsSync(`/proc/${pid}`)));
    await engine.output('run', '-d', ...more, image, ...SLEEP);
    await until(() => waiting() >= LEAST);
  }

  async function startAll(image: string, ...more: string[]): Promise<void> {
    await startOthers(image, ...more);
    await engine.removeContainers();
  }

  /** Whether a container's root file system was there before it was: its upper folder had another name then. */
  async function wasReady(name: string): Promise<boolean> {
    const { State } = await engine.docker.getContainer(name).inspect();
    const [root] = readFileSync(`/proc/${State.Pid}/mountinfo`, 'utf8').match(/^\S+ \S+ \S+ \/ \/ .*$/m)!;
    assert.match(root, /upperdir=/);
    return /upperdir=[0-9a-f]{32}\.upper,/.test(root);
  }

  const shell = (name: string, script: string) => engine.output('exec', name, 'sh', '-c', script);
  const folder = (...names: string[]) => join(engine.root, 'data', 'runtime', ...names);
  /** What is nobody's yet. */
  const roots = () => readdirSync(folder('roots')).filter((name) => name !== 'trash');

  it('become those of the next containers of the image, and are as any other', async () => {
    await startAll(BASE);
    const id = await start('app', BASE);
    assert.equal(await wasReady('app'), true);
    await shell(
      'app',
      'echo mine > /tmp/file; mkdir /tmp/folder; mv /tmp/file /tmp/folder/; rm /tmp/folder/file; echo last > /tmp/last',
    );
    assert.equal(await engine.output('diff', 'app'), 'C /tmp\nA /tmp/folder\nA /tmp/last\n');
    assert.deepEqual(readdirSync(folder('containers', id, 'upper', 'tmp')).sort(), ['folder', 'last']);
    await engine.output('restart', '-t', '0', 'app');
    assert.equal(await wasReady('app'), false);
    assert.equal(await shell('app', 'cat /tmp/last'), 'last\n');
    await engine.output('commit', 'app', 'test/ready:v1');
    assert.equal(await engine.output('run', '--rm', 'test/ready:v1', 'cat', '/tmp/last'), 'last\n');
    await engine.output('rm', '-f', 'app');
    await engine.output('rmi', 'test/ready:v1');
  });

  it('begin empty for each container, and are each container’s own', async () => {
    await startAll(BASE);
    for (const name of ['one', 'other']) {
      await start(name, BASE);
      assert.equal(await wasReady(name), true);
      assert.equal(await shell(name, `ls /tmp; echo ${name} > /tmp/name`), '');
    }
    assert.equal(await shell('one', 'cat /tmp/name'), 'one\n');
    assert.equal(await shell('other', 'cat /tmp/name'), 'other\n');
  });

  it('are not used for a container that has files already, or of another image, or with a disk of its own', async () => {
    await start('maker', BASE);
    await shell('maker', 'echo other > /tmp/which');
    await engine.output('commit', 'maker', 'test/other:v1');
    await startAll(BASE);
    await engine.output('create', '--name', 'filled', BASE, ...SLEEP);
    await engine.output('cp', new URL(import.meta.url).pathname, 'filled:/tmp/given');
    await engine.output('start', 'filled');
    await start('other', 'test/other:v1');
    await start('sized', BASE, '--storage-opt', 'size=32M');
    for (const name of ['filled', 'other', 'sized']) assert.equal(await wasReady(name), false, name);
    assert.equal(await shell('filled', 'ls /tmp'), 'given\n');
    assert.equal(await shell('other', 'cat /tmp/which'), 'other\n');
    // What was mounted in advance is below, where nobody inside gets to.
    assert.equal(await shell('other', 'grep -c " / / " /proc/self/mountinfo'), '1\n');
    await engine.removeContainers();
    await engine.output('rmi', 'test/other:v1');
  });

  it('are those of root in a user namespace, too', async () => {
    await startAll(BASE, '--user', 'root');
    const id = await start('root', BASE, '--user', 'root');
    assert.equal(await wasReady('root'), true);
    assert.equal(
      await shell('root', 'id -u; stat -c %u / /etc/passwd; touch /etc/new; stat -c %u /etc/new'),
      '0\n0\n0\n0\n',
    );
    // On the disk as it is inside; the processes are nobody of the host's.
    const { uid, gid } = statSync(folder('containers', id, 'upper', 'etc', 'new'));
    assert.deepEqual([uid, gid], [0, 0]);
    await start('app', BASE);
    assert.equal(await wasReady('app'), false);
    assert.match(
      await shell('app', 'stat -c %u / /etc/passwd; touch /etc/new 2>&1 || id -u'),
      /^0\n0\n.*Permission denied\n70000\n$/,
    );
  });

  it('keep nobody from starting when their image is gone', async () => {
    await start('maker', BASE);
    const layers = readdirSync(folder('layers')).length;
    await engine.output('commit', 'maker', 'test/gone:v1');
    await startAll('test/gone:v1');
    await engine.removeContainers();
    await engine.output('rmi', 'test/gone:v1');
    // A mounted layer's files would stay on the disk.
    await until(() => readdirSync(folder('layers')).length === layers && roots().length === 0);
    await start('app', BASE);
    assert.equal(await wasReady('app'), false);
  });

  it('are left to those that can have them', async () => {
    // Whose reserve does not shrink meanwhile, as after all that was started before.
    await engine.end('SIGTERM');
    await engine.start();
    await startAll(BASE);
    await start('sized', BASE, '--storage-opt', 'size=32M');
    // From now on none is made, and the next one with a disk gets the one that has none.
    await until(() => waiting() >= LEAST);
    const left = roots().length;
    assert.ok(left > 0);
    await start('next', BASE, '--storage-opt', 'size=32M');
    await start('app', BASE);
    assert.equal(await wasReady('app'), true);
    assert.equal(roots().length, left - 2);
  });

  it('become those of a container whose files were made to an image before it was started', async () => {
    await engine.output('create', '--name', 'kept', BASE, ...SLEEP);
    await engine.output('cp', new URL(import.meta.url).pathname, 'kept:/tmp/given');
    await engine.output('commit', 'kept', 'test/kept:v1');
    await startOthers('test/kept:v1');
    await engine.output('start', 'kept');
    assert.equal(await wasReady('kept'), true);
    assert.equal(await shell('kept', 'ls /tmp'), 'given\n');
    await engine.removeContainers();
    await engine.output('rmi', 'test/kept:v1');
  });

  it('leave nothing behind: not when another is used, nor when the runtime is killed or ends', async () => {
    await startAll(BASE);
    const before = roots().length;
    await start('sized', BASE, '--storage-opt', 'size=32M');
    await until(() => roots().length <= before - 2);
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await startAll(BASE);
      await engine.end(signal);
      await engine.start();
      await until(() => waiting() === LEAST);
      // Nobody knows of which image the next one will be.
      await until(() => roots().length === 0);
    }
    await until(() => readdirSync(folder('roots', 'trash')).length === 0);
  });
});

/** Sandboxes that wait in a runtime that is idle; for a while after containers were started there are more. */
const LEAST = 8;
const SLEEP = ['sleep', '1000'];
