import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** One process, as /proc tells; see proc_pid_stat(5). */
export interface ProcessInfo {
  pid: number;
  parent: number;
  group: number;
  session: number;
  uid: number;
  state: string;
  /** Undefined: none. */
  terminal: string | undefined;
  nice: number;
  threads: number;
  /** Seconds. */
  cpuTime: number;
  /** Milliseconds since 1970. */
  startedAt: number;
  /** Bytes. */
  virtual: number;
  resident: number;
  name: string;
  commandLine: string;
}

/** What a process can say of itself is its own matter; nobody needs more of it. */
const MAX_COMMAND_LINE = 4096;
const TICKS_PER_SECOND = 100;
const PAGE = 4096;
const FIRST_PTY_MAJOR = 136;

/** Reads what /proc says of these processes; those that have ended are left out. */
export function readProcesses(pids: number[]): ProcessInfo[] {
  const bootTime = readBootTime();
  return pids.flatMap((pid) => {
    try {
      return readProcess(pid, bootTime);
    } catch {
      return [];
    }
  });
}

function readProcess(pid: number, bootTime: number): ProcessInfo {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const nameEnd = stat.lastIndexOf(')');
  const name = stat.slice(stat.indexOf('(') + 1, nameEnd);
  const fields = stat.slice(nameEnd + 2).split(' ');
  const [state = '?', parent, group, session, terminal] = fields;
  // Fields are counted from 3, the state, on.
  const field = (number: number) => Number(fields[number - 3]);
  return {
    ...{ pid, state, name },
    ...{ parent: Number(parent), group: Number(group), session: Number(session) },
    uid: readUid(pid),
    terminal: terminalName(Number(terminal)),
    nice: field(19),
    threads: field(20),
    cpuTime: (field(14) + field(15)) / TICKS_PER_SECOND,
    startedAt: bootTime + (field(22) * 1000) / TICKS_PER_SECOND,
    virtual: field(23),
    resident: field(24) * PAGE,
    commandLine: readCommandLine(pid) || `[${name}]`,
  };
}

/** The effective one. */
function readUid(pid: number): number {
  const match = /^Uid:\t\d+\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(match?.[1]);
}

function readCommandLine(pid: number): string {
  const file = openSync(`/proc/${pid}/cmdline`, 'r');
  try {
    const bytes = Buffer.alloc(MAX_COMMAND_LINE);
    const length = readSync(file, bytes);
    return bytes.toString('utf8', 0, length).replace(/\0+$/, '').replaceAll('\0', ' ');
  } finally {
    closeSync(file);
  }
}

/** The number of a device, as stat(2) has it: of pseudo terminals there are up to 2^20. */
function terminalName(device: number): string | undefined {
  const [major, minor] = [(device >> 8) & 0xfff, (device & 0xff) | ((device >> 12) & 0xfff00)];
  return major >= FIRST_PTY_MAJOR && major < FIRST_PTY_MAJOR + 8
    ? `pts/${(major - FIRST_PTY_MAJOR) * 256 + minor}`
    : undefined;
}

/** Milliseconds since 1970. */
function readBootTime(): number {
  return Number(/^btime (\d+)/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1]) * 1000;
}
