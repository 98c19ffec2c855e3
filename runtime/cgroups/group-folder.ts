import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SIGKILL } from '../syscall/constants.ts';
import { writeControl } from '../syscall/files.ts';

/** One group of one hierarchy: a folder whose files are its settings and figures. */
export class GroupFolder {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  ensure(): void {
    mkdirSync(this.path, { recursive: true, mode: 0o755 });
  }

  has(file: string): boolean {
    return existsSync(join(this.path, file));
  }

  set(file: string, value: string | number): void {
    writeControl(join(this.path, file), String(value));
  }

  /** The whole file; empty if the group or file is not there. */
  text(file: string): string {
    try {
      return readFileSync(join(this.path, file), 'latin1');
    } catch {
      return '';
    }
  }

  /** A file with one number; `max` and what is not there are Infinity and 0. */
  number(file: string): number {
    const text = this.text(file).trim();
    return text === 'max' ? Number.POSITIVE_INFINITY : Number(text);
  }

  /** A number of a file with lines of `key value`. */
  field(file: string, key: string): number {
    const line = this.text(file)
      .split('\n')
      .find((candidate) => candidate.startsWith(`${key} `));
    return Number(line?.slice(key.length + 1) ?? 0);
  }

  children(): string[] {
    if (!existsSync(this.path)) return [];
    return readdirSync(this.path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  }

  kill(): void {
    if (this.has('cgroup.kill')) this.set('cgroup.kill', 1);
    else for (const pid of this.text('cgroup.procs').split('\n')) if (pid) killIfThere(Number(pid));
  }

  /** The kernel says EBUSY until the last process is reaped, a little after its end. */
  async remove(): Promise<void> {
    const TRIES = 100;
    for (let tries = 0; ; tries++) {
      try {
        rmdirSync(this.path);
        return;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'ENOENT') return;
        if (code !== 'EBUSY' || tries === TRIES) throw error;
      }
      if (tries > 2) this.kill();
      await sleep(Math.min(2 ** tries, 50));
    }
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, SIGKILL);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
