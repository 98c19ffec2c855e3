import { readFileSync, writeFileSync } from 'node:fs';

/** Raises settings of the kernel, by their paths in /proc/sys, where they are lower, on the whole machine. Says which cannot be. */
export function raiseSettings(settings: Record<string, number>): void {
  for (const [path, least] of Object.entries(settings)) {
    try {
      if (readSetting(path) < least) writeFileSync(path, String(least));
    } catch (error) {
      console.error(`Containers and the host share what is in "${path}": ${(error as Error).message}`);
    }
  }
}

export function readSetting(path: string): number {
  return Number(readFileSync(path, 'latin1'));
}
