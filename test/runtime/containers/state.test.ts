import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  type ContainerState,
  exited,
  failed,
  givenUp,
  isAlive,
  paused,
  started,
  stopping,
  unpaused,
} from '../../../runtime/containers/state.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const PROCESS = { pid: 1, startTime: '2', address: undefined, exitFile: '/x', terminal: 7 };
const EXIT = { code: 3, oomKilled: false };

const CREATED: ContainerState = { status: 'created' };
const RUNNING = started(CREATED, PROCESS, NOW);
const PAUSED = paused(RUNNING);
const EXITED = exited(RUNNING, EXIT, { now: NOW });
const RESTARTING = exited(RUNNING, EXIT, { now: NOW, restart: { delay: 200 } });
const ALL = { CREATED, RUNNING, PAUSED, EXITED, RESTARTING };

describe('container state', () => {
  /** What becomes of each state; undefined: it is refused with `conflict`. */
  const table: [
    string,
    (state: ContainerState) => ContainerState,
    Record<keyof typeof ALL, string | undefined>,
  ][] = [
    [
      'started',
      (state) => started(state, PROCESS, NOW),
      {
        ...{ CREATED: 'running', EXITED: 'running', RESTARTING: 'running' },
        ...{ RUNNING: undefined, PAUSED: undefined },
      },
    ],
    [
      'paused',
      paused,
      {
        RUNNING: 'paused',
        ...{ CREATED: undefined, PAUSED: undefined, EXITED: undefined, RESTARTING: undefined },
      },
    ],
    [
      'unpaused',
      unpaused,
      {
        PAUSED: 'running',
        ...{ CREATED: undefined, RUNNING: undefined, EXITED: undefined, RESTARTING: undefined },
      },
    ],
    [
      'stopping',
      stopping,
      {
        ...{ RUNNING: 'running', PAUSED: 'paused' },
        ...{ CREATED: undefined, EXITED: undefined, RESTARTING: undefined },
      },
    ],
    [
      'exited',
      (state) => exited(state, EXIT, { now: NOW }),
      {
        ...{ RUNNING: 'exited', PAUSED: 'exited' },
        ...{ CREATED: undefined, EXITED: undefined, RESTARTING: undefined },
      },
    ],
    [
      'exited, to come back',
      (state) => exited(state, EXIT, { now: NOW, restart: { delay: 100 } }),
      {
        ...{ RUNNING: 'restarting', PAUSED: 'restarting' },
        ...{ CREATED: undefined, EXITED: undefined, RESTARTING: undefined },
      },
    ],
    [
      'given up',
      givenUp,
      {
        RESTARTING: 'exited',
        ...{ CREATED: undefined, RUNNING: undefined, PAUSED: undefined, EXITED: undefined },
      },
    ],
    [
      'failed',
      (state) => failed(state, { exitCode: 127, error: 'no such file', now: NOW }),
      {
        ...{ CREATED: 'exited', EXITED: 'exited', RESTARTING: 'exited' },
        ...{ RUNNING: undefined, PAUSED: undefined },
      },
    ],
  ];
  for (const [what, change, results] of table) {
    for (const [from, to] of Object.entries(results)) {
      it(`${from}, ${what}: ${to ?? 'refused'}`, () => {
        const state = ALL[from as keyof typeof ALL];
        if (to) assert.equal(change(state).status, to);
        else assert.throws(() => change(state), { code: 'conflict' });
      });
    }
  }

  it('never keeps a descriptor', () => {
    assert.equal(JSON.stringify(RUNNING).includes('terminal'), false);
  });

  it('counts restarts until a client starts it', () => {
    assert.deepEqual([RESTARTING.status === 'restarting' && RESTARTING.restarts.count], [1]);
    const again = started(RESTARTING, PROCESS, NOW);
    const third = exited(again, EXIT, { now: NOW, restart: { delay: 400 } });
    assert.deepEqual(third.status === 'restarting' && third.restarts, { count: 2, delay: 400 });
    assert.equal(third.status === 'restarting' && third.restartAt, '2026-01-01T00:00:00.400Z');
    const ended = givenUp(third);
    assert.deepEqual(ended.status === 'exited' && [ended.restarts.count, ended.stopped], [2, true]);
    const anew = started(ended, PROCESS, NOW);
    assert.deepEqual(isAlive(anew) && anew.restarts, { count: 0, delay: 0 });
  });

  it('remembers that a client has asked for its end', () => {
    const ended = exited(stopping(RUNNING), EXIT, { now: NOW });
    assert.equal(ended.status === 'exited' && ended.stopped, true);
    assert.equal(EXITED.status === 'exited' && EXITED.stopped, false);
  });
});
