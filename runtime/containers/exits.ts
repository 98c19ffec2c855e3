import { closeSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { onceReadable } from '../syscall/readiness.ts';
import type { ContainerExit } from './kernel.ts';

/** A container's first process, as long as it lives. */
export interface WatchedProcess {
  pid: number;
  pidfd: number;
  exitFile: string;
}

type ExitListener = (id: string, exit: ContainerExit) => void;

/** Notices the end of containers, whoever started them: a pidfd is readable when its process has ended. */
export class Exits {
  readonly #oomKills: (id: string) => number;
  readonly #listeners: ExitListener[] = [];
  readonly #watched = new Map<string, WatchedProcess & { giveUp: () => void }>();
  /** Of containers that are being killed: how they will be told to have ended. */
  readonly #foretold = new Map<string, ContainerExit>();

  /** `oomKills`: how many processes of a container the kernel has killed for want of memory. */
  constructor(oomKills: (id: string) => number) {
    this.#oomKills = oomKills;
  }

  onExit(listener: ExitListener): void {
    this.#listeners.push(listener);
  }

  /** Takes over the pidfd. */
  watch(id: string, process: WatchedProcess): void {
    const giveUp = onceReadable(process.pidfd, () => this.#ended(id));
    this.#watched.set(id, { ...process, giveUp });
  }

  /** The container's process, if it runs. */
  process(id: string): WatchedProcess | undefined {
    return this.#watched.get(id);
  }

  /** It is killed for good: nothing is read of how it ended, which takes long while a crowd ends. */
  expect(id: string): void {
    if (!this.#foretold.has(id)) this.#foretell(id, { code: KILLED, oomKilled: false });
  }

  /** It is killed for want of memory, though not by the kernel. */
  blameMemory(id: string): void {
    this.#foretell(id, { code: KILLED, oomKilled: true });
  }

  /** Whether this process of a container is ending: nothing can be done in it some milliseconds before it is seen to have ended. */
  async isEnding(id: string, process: WatchedProcess): Promise<boolean> {
    for (let tries = 0; tries < 25 && this.#watched.get(id) === process; tries++) await sleep(10);
    return this.#watched.get(id) !== process;
  }

  /** How a process ended, by what its PID 1 wrote; one that was killed wrote nothing. */
  exitOf(id: string, exitFile: string): ContainerExit {
    return { code: readExitStatus(exitFile), oomKilled: this.#oomKills(id) > 0 };
  }

  /** Watches nothing any more; the processes go on. */
  close(): void {
    for (const { giveUp, pidfd } of this.#watched.values()) {
      giveUp();
      closeSync(pidfd);
    }
    this.#watched.clear();
  }

  #foretell(id: string, exit: ContainerExit): void {
    if (this.#watched.has(id)) this.#foretold.set(id, exit);
  }

  #ended(id: string): void {
    const process = this.#watched.get(id);
    if (!process) return;
    this.#watched.delete(id);
    closeSync(process.pidfd);
    const exit = this.#foretold.get(id) ?? this.exitOf(id, process.exitFile);
    this.#foretold.delete(id);
    for (const listener of this.#listeners) listener(id, exit);
  }
}

/** The exit code of what was ended by SIGKILL. */
export const KILLED = 137;

/** What PID 1 or the helper of an exec wrote; nothing, if it was killed. */
export function parseExitStatus(text: string): number {
  return /^\d{1,3}\n$/.test(text) ? Number(text) : KILLED;
}

function readExitStatus(exitFile: string): number {
  try {
    return parseExitStatus(readFileSync(exitFile, 'latin1'));
  } catch {
    return parseExitStatus('');
  }
}
