import { closeSync, fstatSync, ftruncateSync, mkdirSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineError } from '../engine-error.ts';
import { OPEN } from '../syscall/constants.ts';
import { lockFile, openPath } from '../syscall/files.ts';
import { instanceTag } from './instance-tag.ts';

/** What others must know of an instance to take it away when it is dead. */
export interface InstanceRecord {
  /** PAAS_RUN. */
  run: string;
  /** PAAS_SUBNET. */
  subnet: string;
  /** Folder of its containers' output, beside their records: without it nobody can ever take them up. */
  output?: string | undefined;
}

/** One file an instance, which its runtime holds locked. Goes with a reboot, as everything that instances have in the kernel. */
export const INSTANCES = '/run/paas-instances';

/**
 * That an instance is ours: a lock (flock(2)), which the kernel lets go when we end, however we end. Whoever gets it knows that no
 * runtime of the instance is running.
 */
export class InstanceClaim {
  readonly #path: string;
  readonly #descriptor: number;
  #closed = false;

  private constructor(path: string, descriptor: number) {
    this.#path = path;
    this.#descriptor = descriptor;
  }

  /** Claims it and notes what it is. Throws `conflict` if another runtime has it. Waits a little: one that takes dead instances away may be at it. */
  static async take(record: InstanceRecord, folder = INSTANCES): Promise<InstanceClaim> {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const tag = instanceTag(record.run);
    const claim = await soon(() => InstanceClaim.try(folder, tag));
    if (!claim) throw new EngineError('conflict', `Another runtime runs for "${record.run}". Stop it first.`);
    claim.#note(record);
    return claim;
  }

  /** Claims it if nobody has it. `tag`: of the instance. */
  static try(folder: string, tag: string): InstanceClaim | undefined {
    const path = join(folder, tag);
    const descriptor = openPath(path, OPEN.RDWR | OPEN.CREAT, 0o600);
    if (lockFile(descriptor) && isStillThere(path, descriptor)) return new InstanceClaim(path, descriptor);
    closeSync(descriptor);
    return undefined;
  }

  /** Lets go; the note stays for those who take dead instances away. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#descriptor);
  }

  /** Lets go when the instance has nothing in the kernel any more. */
  forget(): void {
    if (this.#closed) return;
    unlinkSync(this.#path);
    this.close();
  }

  #note(record: InstanceRecord): void {
    ftruncateSync(this.#descriptor, 0);
    writeSync(this.#descriptor, `${JSON.stringify(record)}\n`, 0);
  }
}

/** Looks again and again, for two seconds at most, until there is something: another instance may be about to end. */
export async function soon<T>(look: () => T | undefined): Promise<T | undefined> {
  for (let tries = 0; tries < TRIES; tries++) {
    const found = look();
    if (found !== undefined) return found;
    await sleep(PAUSE_MILLISECONDS);
  }
  return undefined;
}

const TRIES = 40;
const PAUSE_MILLISECONDS = 50;

/** Whoever had the lock before may have removed the file. */
function isStillThere(path: string, descriptor: number): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === fstatSync(descriptor).ino;
}
