import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type Docker from 'dockerode';
import { describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { engineSuite } from './engine-suite.ts';

const ROOT = '/sys/fs/cgroup';
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
    await sleep(500);
    assert.deepEqual(
      [
        await control(asked, 'cpu.idle'),
        await control(loop, 'cpu.idle'),
        await shares(asked),
        await shares(loop),
      ],
      ['0', '0', ...(onUnified() ? ['20', '10'] : ['512', '256'])],
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

function onUnified(): boolean {
  return existsSync(join(ROOT, 'cgroup.controllers'));
}

/** What stands in a file of the container's group. */
async function control(container: Docker.Container, file: string): Promise<string> {
  const { State } = await container.inspect();
  const groups = readFileSync(`/proc/${State.Pid}/cgroup`, 'latin1').split('\n');
  const [, controllers = '', path = ''] = groups
    .map((line) => line.split(':'))
    .find(([, names]) => (onUnified() ? names === '' : names!.split(',').includes('cpu')))!;
  return readFileSync(join(ROOT, controllers, path, file), 'latin1').trim();
}

async function shares(container: Docker.Container): Promise<string> {
  return control(container, onUnified() ? 'cpu.weight' : 'cpu.shares');
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await sleep(50);
}
