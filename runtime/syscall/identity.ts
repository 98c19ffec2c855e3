import { systemCall } from './system-call.ts';

/**
 * From here on the files that this thread makes belong to that user and group; its capabilities stay (a change of the user takes them out of
 * effect). See setfsuid(2), capget(2).
 */
export function makeFilesAs(id: number): void {
  const header = new Uint8Array(new Uint32Array([CAPABILITY_VERSION_3, 0]).buffer);
  // struct __user_cap_data_struct twice: effective, permitted, inheritable.
  const sets = new Uint32Array(6);
  const bytes = new Uint8Array(sets.buffer);
  systemCall('capget', header, bytes);
  systemCall('setfsgid', id);
  systemCall('setfsuid', id);
  [sets[0], sets[3]] = [sets[1]!, sets[4]!];
  systemCall('capset', header, bytes);
}

const CAPABILITY_VERSION_3 = 0x2008_0522;
