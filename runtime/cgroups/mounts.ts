import { readFileSync } from 'node:fs';

/** Where a hierarchy of control groups is mounted; see proc_pid_mountinfo(5). */
export interface CgroupMount {
  path: string;
  version: 1 | 2;
  /** Of the file system; with version 1 its controllers among them. */
  options: string[];
}

/** All of this machine's. */
export function cgroupMounts(): CgroupMount[] {
  return readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .flatMap((line): CgroupMount[] => {
      const [mount = '', device = ''] = line.split(' - ');
      const [type = '', , options = ''] = device.split(' ');
      const version = VERSIONS[type];
      return version ? [{ path: mount.split(' ')[4]!, version, options: options.split(',') }] : [];
    });
}

const VERSIONS: Record<string, 1 | 2> = { cgroup: 1, cgroup2: 2 };
