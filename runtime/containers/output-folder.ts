import { mkdirSync, openSync } from 'node:fs';
import { systemCall } from '../syscall/system-call.ts';

const LOCK_EX = 2;

/**
 * Makes the folder of raw output and locks it for as long as this process lives; see flock(2). While nobody holds the lock, the
 * zygotes keep the files in bounds (init.c). Returns a descriptor of the folder for them.
 */
export function claimOutputFolder(path: string): number {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  // A zygote has it for a moment only.
  systemCall('flock', openSync(path, 'r'), LOCK_EX);
  return openSync(path, 'r');
}
