import { readdirSync, readFileSync } from 'node:fs';

/** The loop devices that this file is at the moment, e.g. `/dev/loop3`; see loop(4). */
export function loopDevicesOf(file: string): string[] {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop') && backingFile(name) === file)
    .map((name) => `/dev/${name}`);
}

function backingFile(device: string): string | undefined {
  try {
    return readFileSync(`/sys/block/${device}/loop/backing_file`, 'utf8').trimEnd();
  } catch {
    return undefined;
  }
}
