import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { engineSuite } from './engine-suite.ts';

describe('a runtime that is killed', function () {
  this.timeout(180_000);
  const engine = engineSuite();

  function create(script: string, more: object = {}) {
    return engine.docker.createContainer({ Image: BASE, Cmd: ['sh', '-c', script], ...more });
  }

  async function logOf(id: string): Promise<string> {
    const container = engine.docker.getContainer(id);
    const framed = await container.logs({ stdout: true, stderr: true });
    let log = '';
    for (let at = 0; at < framed.length; ) {
      const length = framed.readUInt32BE(at + 4);
      log += framed.toString('utf8', at + 8, at + 8 + length);
      at += 8 + length;
    }
    return log;
  }

  it('leaves containers running; the next one takes them up, with their logs and exit codes, five times', async () => {
    const counting = await create('i=0; while :; do i=$((i+1)); echo $i; sleep 0.002; done');
    await counting.start();
    const { pid } = { pid: (await counting.inspect()).State.Pid };
    for (let round = 1; round <= 5; round++) {
      const ending = await create(`sleep 0.3; echo bye; exit ${round}`);
      await ending.start();
      await engine.end('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 500));
      await engine.start();
      const { State } = await ending.inspect();
      assert.deepEqual([State.Status, State.ExitCode], ['exited', round]);
      assert.equal(await logOf(ending.id), 'bye\n');
      await ending.remove();
    }
    assert.equal((await counting.inspect()).State.Pid, pid);
    await counting.stop({ t: 0 });
    const numbers = (await logOf(counting.id)).trim().split('\n').map(Number);
    const gaps = numbers.filter((number, index) => index > 0 && number > numbers[index - 1]! + 1);
    assert.deepEqual(gaps, []);
    const repeated = numbers.length - new Set(numbers).size;
    // What was recorded in the last milliseconds before the kill may stand there twice.
    assert.ok(repeated < 100, `${repeated} lines are repeated`);
  });

  it('tells of an adopted container that ends', async () => {
    const container = await create('trap "exit 6" TERM; while :; do sleep 0.05; done');
    await container.start();
    await engine.end('SIGKILL');
    await engine.start();
    const ended = container.wait();
    await container.kill({ signal: 'SIGTERM' });
    assert.deepEqual(await ended, { StatusCode: 6 });
  });

  it('knows which containers are paused, and can remove these', async () => {
    const container = await create('sleep 1000');
    await container.start();
    await container.pause();
    await engine.end('SIGKILL');
    await engine.start();
    assert.equal((await container.inspect()).State.Status, 'paused');
    await container.remove({ force: true });
    await assert.rejects(container.inspect(), { statusCode: 404 });
  });

  it('bounds what containers write while there is no runtime, and loses nothing of the end', async () => {
    const script = 'sleep 1; yes "$(printf %0999d 0)" | head -c 200000000; echo the end; sleep 100';
    const container = await create(script);
    await container.start();
    await engine.end('SIGKILL');
    const raw = join(engine.root, 'data/runtime/output', container.id);
    const used = () => statSync(raw).blocks * 512;
    for (let attempt = 0; attempt < 300 && statSync(raw).size < 200_000_000; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.ok(used() < 70 * 1024 * 1024, `${used()} bytes on the disk`);
    await engine.start();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const log = await logOf(container.id);
    assert.match(log, /bytes of output were skipped/);
    assert.match(log, /\nthe end\n$/);
    assert.doesNotMatch(log, /\0/);
    assert.ok(used() < 5 * 1024 * 1024);
  });

  it('leaves files of less alone while there is no runtime: the control of the test before', async () => {
    const container = await create('sleep 1; seq 200000; sleep 100');
    await container.start();
    await engine.end('SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, 3000));
    await engine.start();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const numbers = (await logOf(container.id)).trim().split('\n').map(Number);
    assert.ok(numbers.length === 200_000 && numbers.every((number, index) => number === index + 1));
  });

  it('ends by SIGTERM without its containers, and leaves nothing of removed ones on disk', async () => {
    const container = await create('sleep 100');
    await container.start();
    await engine.end('SIGTERM');
    await engine.start();
    assert.equal((await container.inspect()).State.Running, true);
    await engine.removeContainers();
    await engine.end('SIGTERM'); // waits for what is removed in the background
    const left = ['containers', 'output'].map((name) =>
      readdirSync(join(engine.root, 'data', 'runtime', name)),
    );
    assert.deepEqual(left, [[], []]);
    await engine.start();
  });
});
