import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmdirSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SIGKILL } from '../syscall/constants.ts';
import { writeControl } from '../syscall/files.ts';
import type { ControlWrite } from './limit-plan.ts';

/** One group of one hierarchy: a folder whose files are its settings and figures. */
export class GroupFolder {
  /** What `#short` has just read, at once a text: one for all. */
  static readonly #read = Buffer.alloc(64);
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

  /** Does a write of a plan; one that is optional only where the kernel has the file. */
  apply(write: ControlWrite): void {
    if (!write.optional || this.has(write.file)) this.set(write.file, write.value);
  }

  /** Moves a process into the group, unless it has ended. */
  addIfThere(pid: number): void {
    try {
      this.set('cgroup.procs', pid);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  processes(): number[] {
    return this.text('cgroup.procs').split('\n').filter(Boolean).map(Number);
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
    const text = this.#short(file).trim();
    return text === 'max' ? Number.POSITIVE_INFINITY : Number(text);
  }

  /** As `text`, of a file with little in it: figures are read often, and this takes half as long. */
  #short(file: string): string {
    let fd: number | undefined;
    try {
      fd = openSync(join(this.path, file), 'r');
      return GroupFolder.#read.toString('latin1', 0, readSync(fd, GroupFolder.#read));
    } catch {
      return '';
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  /** A number of a file with lines of `key value`. */
  field(file: string, key: string): number {
    const line = this.text(file)
      .split('\n')
      .find((candidate) => candidate.startsWith(`${key} `));
    return Number(line?.slice(key.length + 1) ?? 0);
  }

  /** All lines of `key value`. */
  fields(file: string): Record<string, number> {
    const lines = this.text(file).split('\n').filter(Boolean);
    return Object.fromEntries(
      lines.map((line) => line.split(' ', 2)).map(([key, value]) => [key, Number(value)]),
    );
  }

  children(): string[] {
    if (!existsSync(this.path)) return [];
    return readdirSync(this.path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  }

  kill(): void {
    if (this.has('cgroup.kill')) this.set('cgroup.kill', 1);
    else for (const pid of this.processes()) killIfThere(pid);
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
