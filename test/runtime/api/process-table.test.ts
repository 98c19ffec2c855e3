import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { processTable } from '../../../runtime/api/process-table.ts';
import type { ProcessInfo } from '../../../runtime/containers/process-list.ts';
import { readProcesses } from '../../../runtime/containers/process-list.ts';

const NOW = new Date(2026, 10, 21, 12, 0, 0).getTime();
const PROCESS: ProcessInfo = {
  ...{
    pid: 7,
    parent: 1,
    group: 7,
    session: 7,
    uid: 70_000,
    state: 'S',
    terminal: 'pts/0',
    nice: 0,
    threads: 2,
  },
  ...{ cpuTime: 75, startedAt: NOW - 300_000, virtual: 10 << 20, resident: 1 << 20 },
  ...{ name: 'node', commandLine: 'node server.js' },
};
const table = (args: string, process = PROCESS) =>
  processTable([process], args, { now: NOW, memory: 1 << 30 });

describe('processTable()', () => {
  it('processTable() has the columns of ps -ef', () => {
    assert.deepEqual(table('-ef'), {
      Titles: ['UID', 'PID', 'PPID', 'C', 'STIME', 'TTY', 'TIME', 'CMD'],
      Processes: [['70000', '7', '1', '25', '11:55', 'pts/0', '00:01:15', 'node server.js']],
    });
  });

  it('processTable() has the columns of ps aux', () => {
    const { Titles, Processes } = table('aux');
    assert.equal(Titles.join(' '), 'USER PID %CPU %MEM VSZ RSS TTY STAT START TIME COMMAND');
    assert.equal(Processes[0]?.join(' '), '70000 7 25.0 0.1 10240 1024 pts/0 S 11:55 1:15 node server.js');
  });

  it('processTable() has the columns that are asked for', () => {
    for (const args of [
      '-o pid,comm',
      '-opid,comm',
      '-eo pid,comm',
      'o pid,comm',
      '--format=pid,comm',
      '-e -o pid -o comm',
    ]) {
      assert.deepEqual(table(args), { Titles: ['PID', 'COMMAND'], Processes: [['7', 'node']] }, args);
    }
  });

  it('processTable() tells the day of a process that began before today', () => {
    const old = { ...PROCESS, startedAt: NOW - 86_400_000, uid: 0, terminal: undefined };
    assert.deepEqual(table('-o user,stime,tty', old).Processes, [['root', 'Nov20', '?']]);
  });

  it('processTable() refuses what it does not know', () => {
    for (const args of ['-o pid,secret', '--forest', '-o', '-ef; id', '-C node']) {
      assert.throws(() => table(args), { code: 'invalid' }, args);
    }
  });
});

describe('readProcesses()', () => {
  it('readProcesses() reads what there is, and leaves out who has gone', () => {
    const [me, ...others] = readProcesses([process.pid, 2 ** 22 + 5]);
    assert.deepEqual(others, []);
    assert.equal(me?.pid, process.pid);
    assert.equal(me?.parent, process.ppid);
    assert.equal(me?.uid, process.getuid?.());
    assert.match(me?.commandLine ?? '', /\bnode\b.* .+/);
    const started = Date.now() - process.uptime() * 1000;
    // The wall clock may have been set since the machine booted.
    assert.ok(Math.abs(me!.startedAt - started) < 60_000, `${me?.startedAt} is not about ${started}`);
    assert.ok(me!.resident > 1e6 && me!.cpuTime > 0);
  });
});
