import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { RestartPolicy } from '../../../runtime/containers/container-config.ts';
import { restartDelay, startsWithRuntime } from '../../../runtime/containers/restart-policy.ts';
import {
  type ContainerState,
  type Death,
  exited,
  isAlive,
  type Restarts,
  started,
  stopping,
} from '../../../runtime/containers/state.ts';

const START = new Date('2026-01-01T00:00:00Z');
const PROCESS = { pid: 1, startTime: '2', address: undefined, exitFile: '/x' };
const policy = (Name: RestartPolicy['Name'], MaximumRetryCount = 0): RestartPolicy => ({
  Name,
  MaximumRetryCount,
});
const later = (seconds: number) => new Date(START.getTime() + seconds * 1000);

function running(restarts: Restarts = { count: 0, delay: 0 }): ContainerState {
  const state = started({ status: 'created' }, PROCESS, START);
  return isAlive(state) ? { ...state, restarts } : state;
}

describe('restartDelay()', () => {
  const delay = (
    wanted: RestartPolicy,
    ended: { state?: ContainerState; exitCode?: number; seconds?: number },
  ) =>
    restartDelay(wanted, {
      state: ended.state ?? running(),
      exitCode: ended.exitCode ?? 1,
      now: later(ended.seconds ?? 1),
    })?.delay;

  it('restartDelay() doubles from 100 ms to a minute', () => {
    const delays: (number | undefined)[] = [];
    let restarts = { count: 0, delay: 0 };
    for (let count = 1; count <= 12; count++) {
      const next = delay(policy('always'), { state: running(restarts) })!;
      delays.push(next);
      restarts = { count, delay: next };
    }
    assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
  });

  it('restartDelay() begins again for one that ran for ten seconds', () => {
    const state = running({ count: 9, delay: 51_200 });
    assert.equal(delay(policy('always'), { state, seconds: 9.9 }), 60_000);
    assert.equal(delay(policy('always'), { state, seconds: 10 }), 100);
  });

  it('restartDelay() of each policy', () => {
    assert.equal(delay(policy('no'), {}), undefined);
    assert.equal(delay(policy('always'), { exitCode: 0 }), 100);
    assert.equal(delay(policy('unless-stopped'), { exitCode: 0 }), 100);
    assert.equal(delay(policy('on-failure'), { exitCode: 0 }), undefined);
    assert.equal(
      delay(policy('on-failure'), { exitCode: 3, state: running({ count: 999, delay: 100 }) }),
      200,
    );
    assert.equal(delay(policy('on-failure', 2), { state: running({ count: 1, delay: 100 }) }), 200);
    assert.equal(delay(policy('on-failure', 2), { state: running({ count: 2, delay: 200 }) }), undefined);
  });

  it('restartDelay() never brings back what a client has stopped', () => {
    for (const name of ['always', 'unless-stopped', 'on-failure'] as const) {
      assert.equal(delay(policy(name), { state: stopping(running()) }), undefined);
    }
  });
});

describe('startsWithRuntime()', () => {
  const death = (state: ContainerState) =>
    exited(state, { code: 1, oomKilled: false }, { now: later(1) }) as Death;

  it('startsWithRuntime() means what is always to run, and unless it was stopped', () => {
    const [stopped, ended] = [death(stopping(running())), death(running())];
    assert.deepEqual(
      (['no', 'always', 'unless-stopped', 'on-failure'] as const).map((name) =>
        [stopped, ended].map((it) => startsWithRuntime(policy(name), it)),
      ),
      [
        [false, false],
        [true, true],
        [false, true],
        [false, false],
      ],
    );
  });
});
