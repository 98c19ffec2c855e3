import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { CronClock } from '../../deploy/cron/cron-clock.ts';
import { until } from '../fixtures/until.ts';

const EVERY_SECOND = '* * * * * *';

describe('CronClock', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'paas-cron-'));
  const socket = join(folder, 'redis.sock');
  const ticks: string[] = [];
  let redis: ChildProcess;
  let clock: CronClock;

  before(async function () {
    if (!hasRedis()) return this.skip();
    redis = await startRedis(socket);
    clock = new CronClock({
      redis: socket,
      prefix: 'test',
      tick: async (key) => void ticks.push(key),
      log: () => {},
      lookEvery: 200,
    });
  });

  after(async () => {
    await clock?.close();
    redis?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  it('calls back for what is set, and no more for what is taken out', async () => {
    clock.set(
      new Map([
        ['a.1', EVERY_SECOND],
        ['b.1', EVERY_SECOND],
      ]),
    );
    await until(() => ticks.includes('a.1') && ticks.includes('b.1'));
    clock.set(new Map([['b.1', EVERY_SECOND]]));
    await sleep(1500);
    ticks.length = 0;
    await until(() => ticks.filter((key) => key === 'b.1').length >= 2);
    assert.ok(!ticks.includes('a.1'));
  });

  it('goes on when the clock of the machine is set back', async () => {
    const real = Date.now;
    try {
      Date.now = () => real() + 86_400_000;
      clock.set(new Map([['c.1', EVERY_SECOND]]));
      await until(() => ticks.includes('c.1'));
    } finally {
      Date.now = real;
    }
    await sleep(300);
    ticks.length = 0;
    await until(() => ticks.includes('c.1'));
    clock.set(new Map([['b.1', EVERY_SECOND]]));
  });

  it('goes on when Redis comes back without anything', async () => {
    redis.kill('SIGKILL');
    await new Promise((resolve) => redis.once('exit', resolve));
    rmSync(socket, { force: true });
    redis = await startRedis(socket);
    ticks.length = 0;
    await until(() => ticks.includes('b.1'));
  });
});

function hasRedis(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function startRedis(socket: string): Promise<ChildProcess> {
  const settings = ['--port', '0', '--unixsocket', socket, '--save', '', '--appendonly', 'no'];
  const redis = spawn('redis-server', settings, { stdio: 'ignore' });
  await until(() => existsSync(socket));
  return redis;
}
