import { join } from 'node:path';
import type { Limits } from '../containers/kernel.ts';
import { OPEN } from '../syscall/constants.ts';
import { openPath } from '../syscall/files.ts';
import type { Cgroups } from './cgroups.ts';
import { GroupFolder } from './group-folder.ts';
import { cpuWeight, PERIOD_MICROSECONDS, quotaMicroseconds } from './limit-values.ts';

const ROOT = '/sys/fs/cgroup';
const CONTROLLERS = ['memory', 'pids', 'cpu'];
const ZYGOTE = 'zygote';

/** The unified hierarchy: kernel documentation, admin-guide/cgroup-v2. */
export class CgroupsV2 implements Cgroups {
  readonly version = 2;
  readonly #top: GroupFolder;

  constructor(name: string) {
    this.#top = new GroupFolder(join(ROOT, name));
    this.#top.ensure();
    for (const folder of [new GroupFolder(ROOT), this.#top]) {
      for (const controller of CONTROLLERS) folder.set('cgroup.subtree_control', `+${controller}`);
    }
  }

  create(id: string, limits: Limits): void {
    const group = this.#group(id);
    group.ensure();
    group.set('memory.max', limits.memory ?? 'max');
    if (group.has('memory.swap.max')) group.set('memory.swap.max', limits.memory ?? 'max');
    group.set('pids.max', limits.pids ?? 'max');
    group.set('cpu.max', `${quotaMicroseconds(limits.nanoCpus) ?? 'max'} ${PERIOD_MICROSECONDS}`);
    if (limits.cpuShares !== undefined) group.set('cpu.weight', cpuWeight(limits.cpuShares));
  }

  open(id: string): Record<string, number> {
    return { cgroup: openPath(this.#group(id).path, OPEN.PATH | OPEN.DIRECTORY) };
  }

  kill(id: string): void {
    this.#group(id).kill();
  }

  remove(id: string): Promise<void> {
    return this.#group(id).remove();
  }

  list(): string[] {
    return this.#top.children().filter((name) => name !== ZYGOTE);
  }

  stats(id: string) {
    const group = this.#group(id);
    return {
      memory: group.number('memory.current') - group.field('memory.stat', 'inactive_file'),
      memoryLimit: group.number('memory.max'),
      pids: group.number('pids.current'),
      cpuNanoseconds: group.field('cpu.stat', 'usage_usec') * 1000,
    };
  }

  oomKills(id: string): number {
    return this.#group(id).field('memory.events', 'oom_kill');
  }

  adoptZygote(pid: number): void {
    const group = this.#group(ZYGOTE);
    group.ensure();
    group.set('cgroup.procs', pid);
  }

  async removeAll(): Promise<void> {
    for (const name of this.#top.children()) await this.remove(name);
    await this.#top.remove();
  }

  #group(id: string): GroupFolder {
    return new GroupFolder(join(this.#top.path, id));
  }
}
