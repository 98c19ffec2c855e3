import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { stateView, statusText } from '../../../runtime/api/state-view.ts';
import { type ContainerState, exited, paused, started } from '../../../runtime/containers/state.ts';

const START = new Date('2026-01-01T00:00:00Z');
const PROCESS = { pid: 42, startTime: '2', address: undefined, exitFile: '/x' };
const RUNNING = started({ status: 'created' }, PROCESS, START);
const EXIT = { code: 3, oomKilled: true };
const RESTARTING = exited(RUNNING, EXIT, { now: START, restart: { delay: 100 } });

describe('statusText()', () => {
  const text = (state: ContainerState, seconds: number, status?: 'starting' | 'healthy') =>
    statusText(
      { state, health: status && { status, failingStreak: 0, log: [] } },
      new Date(START.getTime() + seconds * 1000),
    );

  it('statusText() says it as docker ps does', () => {
    assert.equal(text({ status: 'created' }, 5), 'Created');
    assert.equal(text(RUNNING, 0.5), 'Up Less than a second');
    assert.equal(text(RUNNING, 75), 'Up About a minute');
    assert.equal(text(RUNNING, 300, 'healthy'), 'Up 5 minutes (healthy)');
    assert.equal(text(RUNNING, 3700, 'starting'), 'Up About an hour (health: starting)');
    assert.equal(text(paused(RUNNING), 86_400 * 3, 'healthy'), 'Up 3 days (Paused)');
    assert.equal(text(RESTARTING, 2), 'Restarting (3) 2 seconds ago');
    assert.equal(text(exited(RUNNING, EXIT, { now: START }), 86_400 * 21), 'Exited (3) 3 weeks ago');
  });
});

describe('stateView()', () => {
  it('stateView() has all of Docker’s fields, in each state', () => {
    const flags = (state: ContainerState) => {
      const view = stateView({ state, health: undefined }) as Record<string, unknown>;
      return ['Status', 'Running', 'Paused', 'Restarting', 'OOMKilled', 'Pid', 'ExitCode'].map(
        (name) => view[name],
      );
    };
    assert.deepEqual(flags({ status: 'created' }), ['created', false, false, false, false, 0, 0]);
    assert.deepEqual(flags(RUNNING), ['running', true, false, false, false, 42, 0]);
    assert.deepEqual(flags(paused(RUNNING)), ['paused', true, true, false, false, 42, 0]);
    assert.deepEqual(flags(RESTARTING), ['restarting', true, false, true, true, 0, 3]);
    assert.deepEqual(flags(exited(RUNNING, EXIT, { now: START })), [
      'exited',
      false,
      false,
      false,
      true,
      0,
      3,
    ]);
  });
});
