import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type ContainerState, exited, failed, started } from '../../../runtime/containers/state.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const PROCESS = { pid: 1, startTime: '2', address: undefined, exitFile: '/x', terminal: 7 };
const EXIT = { code: 3, oomKilled: false };
const CREATED: ContainerState = { status: 'created' };

describe('container state', () => {
  it('goes from created to running to exited and back, and never keeps a descriptor', () => {
    const running = started(CREATED, PROCESS, NOW);
    assert.equal(JSON.stringify(running).includes('terminal'), false);
    const ended = exited(running, EXIT, { now: NOW });
    assert.equal(ended.status === 'exited' && ended.exitCode, 3);
    assert.equal(started(ended, PROCESS, NOW).status, 'running');
    assert.equal(failed(CREATED, { exitCode: 127, error: 'no such file', now: NOW }).status, 'exited');
  });

  it('refuses every other change', () => {
    const running = started(CREATED, PROCESS, NOW);
    assert.throws(() => started(running, PROCESS, NOW), { code: 'conflict' });
    assert.throws(() => failed(running, { exitCode: 1, error: '', now: NOW }), { code: 'conflict' });
    assert.throws(() => exited(CREATED, EXIT, { now: NOW }), { code: 'conflict' });
    assert.throws(() => exited(exited(running, EXIT, { now: NOW }), EXIT, { now: NOW }), {
      code: 'conflict',
    });
  });
});
