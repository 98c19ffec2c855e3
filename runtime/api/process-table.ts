import type { ProcessInfo } from '../containers/process-list.ts';
import { EngineError } from '../engine-error.ts';

/** The answer to `GET /containers/{id}/top`. */
export interface ProcessTable {
  Titles: string[];
  Processes: string[][];
}

/** What a value is computed from beside the process. */
interface Moment {
  /** Milliseconds since 1970. */
  now: number;
  /** Bytes. */
  memory: number;
}

interface Column {
  title: string;
  value: (process: ProcessInfo, moment: Moment) => string;
}

/** Lays processes out as ps(1) would with these arguments: `-ef`, `aux`, `-o pid,comm` and the like. Throws `invalid`. */
export function processTable(processes: ProcessInfo[], psArgs: string, moment: Moment): ProcessTable {
  const columns = columnsOf(psArgs);
  return {
    Titles: columns.map(({ title }) => title),
    Processes: processes.map((process) => columns.map(({ value }) => value(process, moment))),
  };
}

const FULL = ['uid', 'pid', 'ppid', 'c', 'stime', 'tty', 'time', 'cmd'];
const SIMPLE = ['pid', 'tty', 'time', 'comm'];
const USER = ['user', 'pid', '%cpu', '%mem', 'vsz', 'rss', 'tty', 'stat', 'start', 'bsdtime', 'command'];
const BSD_SIMPLE = ['pid', 'tty', 'stat', 'bsdtime', 'command'];

/** As ps: which processes are chosen is no question here, all are. */
function columnsOf(psArgs: string): Column[] {
  const words = psArgs.split(/[\s]+/).filter(Boolean);
  const wanted = words.flatMap((word, index) => namesAfterO(word, words[index + 1]) ?? []);
  if (wanted.length > 0) return wanted.map(requireColumn);
  const flags = words.join('');
  if (!/^[-aAexfFulwhH]*$/.test(flags)) throw refusal(psArgs);
  if (flags.includes('u')) return USER.map(requireColumn);
  if (flags.includes('-') || flags === '') {
    return (/[fF]/.test(flags) ? FULL : SIMPLE).map(requireColumn);
  }
  return BSD_SIMPLE.map(requireColumn);
}

/** The column names of `-o a,b`, `-oa,b`, `-eo a,b`, `o a,b` and `--format=a,b`. */
function namesAfterO(word: string, next: string | undefined): string[] | undefined {
  const list = /^--format=(.+)$/.exec(word)?.[1] ?? /^-?[aAexw]*o(.*)$/.exec(word)?.[1];
  if (list === undefined) return undefined;
  return (list || (next ?? '')).split(',').filter(Boolean);
}

function requireColumn(name: string): Column {
  // `pid=` names the column, here by nothing.
  const column = COLUMNS.get(name.replace(/=.*$/s, ''));
  if (!column) throw refusal(name);
  return column;
}

function refusal(psArgs: string): EngineError {
  return new EngineError(
    'invalid',
    `"${psArgs}" is not understood here: -ef, aux, or -o with columns of ps.`,
  );
}

const COLUMNS: ReadonlyMap<string, Column> = new Map(
  (
    [
      ['uid', 'UID', ({ uid }) => userName(uid)],
      ['user euser', 'USER', ({ uid }) => userName(uid)],
      ['pid', 'PID', ({ pid }) => String(pid)],
      ['ppid', 'PPID', ({ parent }) => String(parent)],
      ['pgid pgrp', 'PGID', ({ group }) => String(group)],
      ['sid sess', 'SID', ({ session }) => String(session)],
      ['c', 'C', (process, moment) => String(Math.floor(cpuShare(process, moment)))],
      ['%cpu pcpu', '%CPU', (process, moment) => cpuShare(process, moment).toFixed(1)],
      ['%mem pmem', '%MEM', ({ resident }, { memory }) => ((100 * resident) / memory).toFixed(1)],
      ['vsz vsize', 'VSZ', ({ virtual }) => String(virtual / 1024)],
      ['rss rssize', 'RSS', ({ resident }) => String(resident / 1024)],
      ['tty tt tname', 'TTY', ({ terminal }) => terminal ?? '?'],
      ['stat s state', 'STAT', ({ state }) => state],
      ['ni nice', 'NI', ({ nice }) => String(nice)],
      ['nlwp thcount', 'NLWP', ({ threads }) => String(threads)],
      ['stime', 'STIME', startText],
      ['start', 'START', startText],
      ['time cputime', 'TIME', ({ cpuTime }) => clock(cpuTime)],
      ['bsdtime', 'TIME', ({ cpuTime }) => shortClock(cpuTime)],
      ['etime', 'ELAPSED', ({ startedAt }, { now }) => clock((now - startedAt) / 1000)],
      ['comm ucmd', 'COMMAND', ({ name }) => name],
      ['cmd', 'CMD', ({ commandLine }) => commandLine],
      ['args command', 'COMMAND', ({ commandLine }) => commandLine],
    ] satisfies [string, string, Column['value']][]
  ).flatMap(([names, title, value]) => names.split(' ').map((name) => [name, { title, value }] as const)),
);

/** The names of others would be those of the host. */
function userName(uid: number): string {
  return uid === 0 ? 'root' : String(uid);
}

/** Percent of one core since its start. */
function cpuShare({ cpuTime, startedAt }: ProcessInfo, { now }: Moment): number {
  return (100 * cpuTime) / Math.max(1, (now - startedAt) / 1000);
}

/** `09:05` today, `Nov21` before. */
function startText({ startedAt }: ProcessInfo, { now }: Moment): string {
  const [, month, day, , time] = new Date(startedAt).toString().split(' ');
  const isToday = new Date(startedAt).toDateString() === new Date(now).toDateString();
  return isToday ? time!.slice(0, 5) : `${month}${day}`;
}

/** `01:02:03`. */
function clock(seconds: number): string {
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return parts.map((part) => String(part).padStart(2, '0')).join(':');
}

/** `62:03`. */
function shortClock(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds) % 60).padStart(2, '0')}`;
}
