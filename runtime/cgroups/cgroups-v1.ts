import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Limits } from '../containers/kernel.ts';
import { OPEN } from '../syscall/constants.ts';
import { openPath } from '../syscall/files.ts';
import type { Cgroups } from './cgroups.ts';
import { GroupFolder } from './group-folder.ts';
import { PERIOD_MICROSECONDS, quotaMicroseconds } from './limit-values.ts';

const CONTROLLERS = ['memory', 'pids', 'cpu', 'cpuacct'] as const;
type Controller = (typeof CONTROLLERS)[number];

/** One hierarchy a controller: kernel documentation, admin-guide/cgroup-v1. */
export class CgroupsV1 implements Cgroups {
  readonly version = 1;
  readonly #name: string;
  readonly #mounts: Record<Controller, string>;

  constructor(name: string) {
    this.#name = name;
    this.#mounts = findMounts();
    for (const controller of CONTROLLERS) this.#group(controller).ensure();
  }

  create(id: string, limits: Limits): void {
    for (const controller of CONTROLLERS) this.#group(controller, id).ensure();
    this.#limitMemory(this.#group('memory', id), limits.memory ?? -1);
    this.#group('pids', id).set('pids.max', limits.pids ?? 'max');
    const cpu = this.#group('cpu', id);
    cpu.set('cpu.cfs_period_us', PERIOD_MICROSECONDS);
    cpu.set('cpu.cfs_quota_us', quotaMicroseconds(limits.nanoCpus) ?? -1);
    if (limits.cpuShares !== undefined) cpu.set('cpu.shares', limits.cpuShares);
  }

  open(id: string): Record<string, number> {
    const entries = this.#hierarchies().map(([controller, path]) => [
      `${controller} cgroup`,
      openPath(join(path, this.#name, id, 'cgroup.procs'), OPEN.WRONLY),
    ]);
    return Object.fromEntries(entries);
  }

  kill(id: string): void {
    this.#group('pids', id).kill();
  }

  async remove(id: string): Promise<void> {
    for (const controller of CONTROLLERS) await this.#group(controller, id).remove();
  }

  list(): string[] {
    return [...new Set(CONTROLLERS.flatMap((controller) => this.#group(controller).children()))];
  }

  stats(id: string) {
    const memory = this.#group('memory', id);
    const limit = memory.number('memory.limit_in_bytes');
    return {
      memory: memory.number('memory.usage_in_bytes') - memory.field('memory.stat', 'total_inactive_file'),
      memoryLimit: limit >= NO_LIMIT ? Number.POSITIVE_INFINITY : limit,
      pids: this.#group('pids', id).number('pids.current'),
      cpuNanoseconds: this.#group('cpuacct', id).number('cpuacct.usage'),
    };
  }

  oomKills(id: string): number {
    return this.#group('memory', id).field('memory.oom_control', 'oom_kill');
  }

  /** Its service's group is one of a hierarchy that limits nothing here. */
  adoptZygote(): void {}

  async removeAll(): Promise<void> {
    for (const id of this.list()) await this.remove(id);
    for (const controller of CONTROLLERS) await this.#group(controller).remove();
  }

  /** With swap: the same again, as Docker. The two limits depend on each other, so the memory limit comes first. */
  #limitMemory(group: GroupFolder, bytes: number): void {
    if (bytes < 0) return;
    group.set('memory.limit_in_bytes', bytes);
    if (group.has('memory.memsw.limit_in_bytes')) group.set('memory.memsw.limit_in_bytes', 2 * bytes);
  }

  /** Each hierarchy once: `cpu` and `cpuacct` may be one. */
  #hierarchies(): [Controller, string][] {
    const byMount = new Map(CONTROLLERS.map((controller) => [this.#mounts[controller], controller]));
    return [...byMount].map(([path, controller]) => [controller, path]);
  }

  #group(controller: Controller, id = ''): GroupFolder {
    return new GroupFolder(join(this.#mounts[controller], this.#name, id));
  }
}

/** What the kernel shows for none: the largest multiple of a page. */
const NO_LIMIT = 2 ** 62;

/** Where each controller's hierarchy is mounted; see proc_pid_mountinfo(5). */
function findMounts(): Record<Controller, string> {
  const mounts = readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .map((line) => line.split(' - '))
    .filter(([, device]) => device?.startsWith('cgroup '))
    .map(([mount, device]) => ({ path: mount!.split(' ')[4]!, options: device!.split(' ')[2]!.split(',') }));
  const find = (controller: Controller): [Controller, string] => {
    const mount = mounts.find(({ options }) => options.includes(controller));
    if (!mount)
      throw new Error(`The kernel has no "${controller}" cgroup mounted; containers cannot be limited.`);
    return [controller, mount.path];
  };
  return Object.fromEntries(CONTROLLERS.map(find)) as Record<Controller, string>;
}
