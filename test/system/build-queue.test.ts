import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, beforeEach, describe, it } from 'mocha';
import { BuildQueue } from '../../deploy/queue/build-queue.ts';
import { until } from '../fixtures/until.ts';

describe('BuildQueue', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'paas-queue-'));
  const socket = join(folder, 'redis.sock');
  let redis: ChildProcess;
  let queue: BuildQueue;
  let began: number[];
  let ends: Map<number, () => void>;

  const startRedis = async () => {
    rmSync(socket, { force: true });
    const args = ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder];
    redis = spawn('redis-server', args, { stdio: 'ignore' });
    await until(() => existsSync(socket));
  };
  const stopRedis = async () => {
    if (redis.exitCode !== null || redis.signalCode !== null) return;
    const gone = new Promise((resolve) => redis.once('exit', resolve));
    redis.kill('SIGKILL');
    await gone;
  };
  const open = async (concurrency: number, stuckAfter = 1000) => {
    await queue?.close();
    began = [];
    ends = new Map();
    queue = new BuildQueue({
      redis: socket,
      prefix: 'test',
      concurrency,
      stuckAfter,
      run: (id) => {
        began.push(id);
        return new Promise((resolve) => {
          ends.set(id, resolve);
        });
      },
      log: () => {},
    });
    await queue.start();
  };
  const submit = (id: number, app: string) => {
    const outcome = { id, text: 'waiting' };
    queue.submit({ id, app }).then(
      () => Object.assign(outcome, { text: 'ended' }),
      (error: Error) => Object.assign(outcome, { text: error.message }),
    );
    return outcome;
  };
  const end = (id: number) => ends.get(id)!();

  before(async function () {
    if (!hasRedis()) return this.skip();
    await startRedis();
  });

  beforeEach(async () => {
    if (redis.exitCode !== null || redis.signalCode !== null) await startRedis();
  });

  after(async () => {
    await queue?.close();
    if (redis) await stopRedis();
    rmSync(folder, { recursive: true, force: true });
  });

  it('lets apps take turns, however many builds one has waiting, and tells the place in line', async () => {
    await open(1);
    for (const id of [1, 2, 3, 4]) submit(id, 'greedy');
    await until(() => began.length === 1);
    submit(5, 'modest');
    submit(6, 'other');
    assert.deepEqual(
      queue.ahead(5).map(({ id }) => id),
      [1, 2, 3, 4],
    );
    assert.deepEqual(
      queue.ahead(3).map(({ id }) => id),
      [1, 2],
    );
    await sleep(100); // until their jobs are in Redis
    for (const turn of [1, 2, 3, 4, 5, 6]) {
      await until(() => began.length === turn);
      end(began.at(-1)!);
    }
    assert.deepEqual(began, [1, 5, 6, 2, 3, 4]);
  });

  it('runs as many at once as it may, and never two of one app', async () => {
    await open(2);
    submit(1, 'one');
    submit(2, 'one');
    submit(3, 'two');
    submit(4, 'three');
    await until(() => began.length === 2);
    await sleep(200);
    assert.deepEqual(began, [1, 3]);
    end(3);
    await until(() => began.length === 3);
    assert.deepEqual(began, [1, 3, 4]);
    end(1);
    await until(() => began.length === 4);
    for (const id of [2, 4]) end(id);
  });

  it('withdraw() takes out what waits, and nothing that runs', async () => {
    await open(1);
    const first = submit(1, 'one');
    const second = submit(2, 'two');
    const third = submit(3, 'three');
    await until(() => began.length === 1);
    assert.deepEqual([queue.withdraw(1), queue.withdraw(2), queue.withdraw(2)], [false, true, false]);
    await until(() => second.text === 'ended');
    end(1);
    await until(() => began.length === 2);
    assert.deepEqual(began, [1, 3]);
    end(3);
    await until(() => first.text === 'ended' && third.text === 'ended');
  });

  it('a Redis that goes in mid-build and comes back empty: what runs ends, what waited runs', async () => {
    await open(1);
    const first = submit(1, 'one');
    const second = submit(2, 'two');
    await until(() => began.length === 1);
    await stopRedis();
    await startRedis();
    end(1);
    await until(() => began.length === 2);
    end(2);
    await until(() => first.text === 'ended' && second.text === 'ended');
    assert.deepEqual(began, [1, 2]);
  });

  it('a Redis that goes in mid-build and stays away: what runs ends well, what waited fails with the reason', async () => {
    await open(1);
    const first = submit(1, 'one');
    const second = submit(2, 'two');
    await until(() => began.length === 1);
    await stopRedis();
    await sleep(1500);
    // It waits for the build that runs, not for Redis.
    assert.equal(second.text, 'waiting');
    end(1);
    await until(() => first.text === 'ended');
    await until(() => second.text !== 'waiting');
    assert.match(second.text, /queue does not answer\. Push again/);
    const third = submit(3, 'three');
    await until(() => third.text !== 'waiting');
    assert.match(third.text, /queue does not answer/);
    await startRedis();
    for (let id = 4; began.length === 1; id += 1) {
      const next = submit(id, 'four');
      await until(() => began.includes(id) || next.text !== 'waiting');
      assert.ok(id < 15, 'the queue does not come back');
    }
    end(began.at(-1)!);
  });

  it('a Redis that hangs: a new build fails with the reason, and the next runs when it goes on', async () => {
    await open(1);
    redis.kill('SIGSTOP');
    const first = submit(1, 'one');
    await until(() => first.text !== 'waiting');
    assert.match(first.text, /queue does not answer/);
    redis.kill('SIGCONT');
    const second = submit(2, 'two');
    await until(() => began.includes(2));
    end(2);
    await until(() => second.text === 'ended');
    assert.deepEqual(began, [2]);
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
