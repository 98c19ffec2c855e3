import { join } from 'node:path';
import type { IoCount, LimitFeatures, Limits, ResourceStats } from '../containers/kernel.ts';
import { EngineError } from '../engine-error.ts';
import type { Operation } from '../init/operation-list.ts';
import { MOUNT, OPEN } from '../syscall/constants.ts';
import { openPath } from '../syscall/files.ts';
import type { Cgroups } from './cgroups.ts';
import { frozenWithin } from './freezing.ts';
import { GroupFolder } from './group-folder.ts';
import { type LateEntry, planLateEntry } from './group-plan.ts';
import { planLimitsV2, withoutKnown } from './limit-plan.ts';
import { favourQuickMovesIn } from './quick-moves.ts';

const REQUIRED = ['memory', 'pids', 'cpu'];
const OPTIONAL = ['cpuset', 'io'];
const ROOT = '/sys/fs/cgroup';
const ZYGOTE = 'zygote';
/** In a microsecond. */
const NANOSECONDS = 1000;
const READ_ONLY = MOUNT.NOSUID | MOUNT.NODEV | MOUNT.NOEXEC | MOUNT.RDONLY;

/** The unified hierarchy: kernel documentation, admin-guide/cgroup-v2. */
export class CgroupsV2 implements Cgroups {
  readonly version = 2;
  readonly features: LimitFeatures;
  readonly #top: GroupFolder;

  /** The groups of the containers of an instance, by the name of the group that they are in. Makes none, other than the constructor. */
  static groupsOf(name: string, root = ROOT): GroupFolder[] {
    const top = new GroupFolder(join(root, name));
    return containersIn(top).map((id) => new GroupFolder(join(top.path, id)));
  }

  constructor(name: string, root = ROOT) {
    favourQuickMovesIn(root);
    this.#top = new GroupFolder(join(root, name));
    this.#top.ensure();
    const available = new GroupFolder(root).text('cgroup.controllers').trim().split(' ');
    const optional = OPTIONAL.filter((controller) => available.includes(controller));
    for (const folder of [new GroupFolder(root), this.#top]) {
      for (const controller of REQUIRED) folder.set('cgroup.subtree_control', `+${controller}`);
      for (const controller of optional)
        ifPossible(() => folder.set('cgroup.subtree_control', `+${controller}`));
    }
    this.features = {
      swap: this.#top.has('memory.swap.max'),
      cpuset: this.#top.has('cpuset.cpus'),
      ioWeight: this.#top.has('io.weight') || this.#top.has('io.bfq.weight'),
    };
  }

  enter(id: string): Operation[] {
    this.#group(id).ensure();
    return [];
  }

  /** A process is in one group for everything: until then it is in the zygote's. */
  enterLate(id: string): LateEntry {
    const { open, join } = planLateEntry(this.#group(id).path);
    const show = ['cgroup', ROOT, 'cgroup2', READ_ONLY, null];
    return { open, join: [...join, { call: 'mount', args: show, purpose: `mount "${ROOT}"` }] };
  }

  /** All of it from here: whose namespace begins at the group must not change its limits (cgroups(7), "nsdelegate"). */
  setLimits(id: string, limits: Limits, before: Limits): Operation[] {
    const group = this.#group(id);
    for (const write of withoutKnown(planLimitsV2(limits), planLimitsV2(before))) group.apply(write);
    return [];
  }

  /** The kernel would obey at once, by killing: v1 refuses instead. */
  update(id: string, limits: Limits): void {
    const group = this.#group(id);
    const used = group.number('memory.current') - group.field('memory.stat', 'file');
    if (limits.memory !== undefined && limits.memory < used) {
      throw new EngineError('conflict', `It uses ${used} bytes of memory, more than ${limits.memory}.`);
    }
    this.#apply(id, limits);
  }

  open(id: string): Record<string, number> {
    return { cgroup: openPath(this.#group(id).path, OPEN.PATH | OPEN.DIRECTORY) };
  }

  async freeze(id: string): Promise<void> {
    const group = this.#group(id);
    group.set('cgroup.freeze', 1);
    await frozenWithin({
      isFrozen: () => group.field('cgroup.events', 'frozen') === 1,
      again: () => {},
      giveUp: () => this.thaw(id),
    });
  }

  thaw(id: string): void {
    this.#group(id).set('cgroup.freeze', 0);
  }

  adopt(id: string): boolean {
    return this.#group(id).number('cgroup.freeze') === 1;
  }

  processes(id: string): number[] {
    return this.#group(id).processes();
  }

  /** The kernel kills frozen processes, too. */
  kill(id: string): void {
    this.#group(id).kill();
  }

  folders(id: string): string[] {
    return [this.#group(id).path];
  }

  remove(id: string): Promise<void> {
    return this.#group(id).remove();
  }

  list(): string[] {
    return containersIn(this.#top);
  }

  stats(id: string): ResourceStats {
    const group = this.#group(id);
    const cpu = group.fields('cpu.stat');
    return {
      memory: {
        usage: group.number('memory.current'),
        peak: group.number('memory.peak'),
        limit: group.number('memory.max'),
        failures: group.field('memory.events', 'max'),
        details: group.fields('memory.stat'),
      },
      pids: { current: group.number('pids.current'), limit: group.number('pids.max') },
      cpu: {
        total: (cpu.usage_usec ?? 0) * NANOSECONDS,
        user: (cpu.user_usec ?? 0) * NANOSECONDS,
        kernel: (cpu.system_usec ?? 0) * NANOSECONDS,
        perCpu: [],
        periods: cpu.nr_periods ?? 0,
        throttledPeriods: cpu.nr_throttled ?? 0,
        throttled: (cpu.throttled_usec ?? 0) * NANOSECONDS,
      },
      io: parseIoStat(group.text('io.stat')),
    };
  }

  get canGiveWay(): boolean {
    return this.#top.has('cpu.idle');
  }

  giveWay(id: string, gives: boolean): void {
    this.#group(id).set('cpu.idle', gives ? 1 : 0);
  }

  givesWay(id: string): boolean {
    return this.#group(id).number('cpu.idle') === 1;
  }

  processorTime(id = ''): number {
    return this.#group(id).field('cpu.stat', 'usage_usec') * NANOSECONDS;
  }

  oomKills(id: string): number {
    return this.#group(id).field('memory.events', 'oom_kill');
  }

  adoptZygote(pid: number): void {
    const group = this.#group(ZYGOTE);
    group.ensure();
    group.set('cgroup.procs', pid);
  }

  close(): void {}

  async removeAll(): Promise<void> {
    for (const name of this.#top.children()) await this.remove(name);
    await this.#top.remove();
  }

  #apply(id: string, limits: Limits): void {
    const group = this.#group(id);
    for (const write of planLimitsV2(limits)) group.apply(write);
  }

  #group(id: string): GroupFolder {
    return new GroupFolder(join(this.#top.path, id));
  }
}

function containersIn(top: GroupFolder): string[] {
  return top.children().filter((name) => name !== ZYGOTE);
}

/** What another's settings on this machine forbid is no feature here. */
function ifPossible(enable: () => void): void {
  try {
    enable();
  } catch (error) {
    console.error('A controller of cgroups cannot be used:', (error as Error).message);
  }
}

/** Lines of `8:0 rbytes=1 wbytes=2 rios=3 wios=4 …`. */
function parseIoStat(text: string): IoCount[] {
  return text.split('\n').flatMap((line): IoCount[] => {
    const [device = '', ...pairs] = line.split(' ');
    const [major, minor] = device.split(':').map(Number);
    if (minor === undefined) return [];
    const count = Object.fromEntries(pairs.map((pair) => pair.split('='))) as Record<string, string>;
    return [
      { major: major!, minor, operation: 'read', bytes: Number(count.rbytes), requests: Number(count.rios) },
      { major: major!, minor, operation: 'write', bytes: Number(count.wbytes), requests: Number(count.wios) },
    ];
  });
}
