import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { describe, it } from 'mocha';
import { controlGroup, IS_UNIFIED } from '../fixtures/control-group.ts';
import { until } from '../fixtures/until.ts';
import { BASE } from './engine-process.ts';
import { engineSuite } from './engine-suite.ts';

const LOOP = 'while [ ! -e /tmp/enough ]; do :; done; exec sleep 1000';

describe('a container that takes much processor time', function () {
  this.timeout(60_000);
  const engine = engineSuite();

  async function start(script: string, HostConfig: Docker.HostConfig = {}): Promise<Docker.Container> {
    const container = await engine.docker.createContainer({
      Image: BASE,
      Cmd: ['bash', '-c', script],
      HostConfig,
    });
    await container.start();
    return container;
  }

  it('gives way to others, and no longer than it does', async () => {
    const quiet = await start('sleep 1000');
    const loop = await start(LOOP);
    await until(async () => (await control(loop, 'cpu.idle')) === '1');
    assert.equal(await control(quiet, 'cpu.idle'), '0');
    await engine.output('exec', loop.id, 'touch', '/tmp/enough');
    await until(async () => (await control(loop, 'cpu.idle')) === '0');
  });

  it('keeps CPU shares of its own', async () => {
    const asked = await start(LOOP, { CpuShares: 512 });
    const loop = await start(LOOP);
    await until(async () => (await control(loop, 'cpu.idle')) === '1');
    assert.equal(await control(asked, 'cpu.idle'), '0');
    await loop.update({ CpuShares: 256 });
    // Longer than it takes to be looked at again.
    await sleep(1000);
    assert.deepEqual(
      [
        await control(asked, 'cpu.idle'),
        await control(loop, 'cpu.idle'),
        await shares(asked),
        await shares(loop),
      ],
      ['0', '0', ...(IS_UNIFIED ? ['20', '10'] : ['512', '256'])],
    );
  });

  it('is found by the next runtime as it is', async () => {
    const loop = await start(LOOP);
    await until(async () => (await control(loop, 'cpu.idle')) === '1');
    await engine.end('SIGKILL');
    await engine.start();
    await engine.output('exec', loop.id, 'touch', '/tmp/enough');
    await until(async () => (await control(loop, 'cpu.idle')) === '0');
  });
});

/** What stands in a file of the container's group. */
async function control(container: Docker.Container, file: string): Promise<string> {
  const { State } = await container.inspect();
  return readFileSync(join(controlGroup(State.Pid, 'cpu'), file), 'latin1').trim();
}

async function shares(container: Docker.Container): Promise<string> {
  return control(container, IS_UNIFIED ? 'cpu.weight' : 'cpu.shares');
}
