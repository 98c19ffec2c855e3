import { closeSync } from 'node:fs';
import { join } from 'node:path';
import type { IoCount, LimitFeatures, Limits, ResourceStats } from '../containers/kernel.ts';
import { EngineError } from '../engine-error.ts';
import type { Operation } from '../init/operation-list.ts';
import { OPEN } from '../syscall/constants.ts';
import { openPath } from '../syscall/files.ts';
import type { Cgroups } from './cgroups.ts';
import { frozenWithin } from './freezing.ts';
import { GroupFolder } from './group-folder.ts';
import { type LateEntry, planControl, planGroup, planJoining, planLateEntry } from './group-plan.ts';
import { type ControlWriteV1, memoryOf, planLimitsV1, SOCKETS_V1, withoutKnown } from './limit-plan.ts';
import { cgroupMounts } from './mounts.ts';
import { favourQuickMoves } from './quick-moves.ts';

const REQUIRED = ['memory', 'pids', 'cpu', 'cpuacct'] as const;
const OPTIONAL = ['freezer', 'blkio', 'cpuset'] as const;
type Controller = (typeof REQUIRED)[number] | (typeof OPTIONAL)[number];

/** What the kernel shows for no limit: the largest multiple of a page. */
const NO_LIMIT = 2 ** 62;

/** One hierarchy a controller: kernel documentation, admin-guide/cgroup-v1. */
export class CgroupsV1 implements Cgroups {
  readonly version = 1;
  readonly features: LimitFeatures;
  readonly #name: string;
  readonly #mounts: ReadonlyMap<Controller, string>;
  /** By name: whether this kernel has the file. */
  readonly #optional = new Map<string, boolean>();
  /** Whether a group is frozen the kernel knows; but who asks it, while others are removed, waits for locks: for all of a crowd too long. */
  readonly #frozen = new Set<string>();
  #quickMoves: number | undefined;

  /** The groups of the containers of an instance, by the name of the group that they are in, in one of the hierarchies. Makes none, other than the constructor. */
  static groupsOf(name: string): GroupFolder[] {
    const top = new GroupFolder(join(findMounts().get('pids')!, name));
    return top.children().map((id) => new GroupFolder(join(top.path, id)));
  }

  constructor(name: string) {
    this.#name = name;
    this.#mounts = findMounts();
    this.#quickMoves = favourQuickMoves();
    for (const controller of this.#controllers()) this.#group(controller).ensure();
    this.#countSockets();
    this.features = {
      swap: this.#group('memory').has('memory.memsw.limit_in_bytes'),
      cpuset: this.#mounts.has('cpuset'),
      ioWeight:
        this.#mounts.has('blkio') &&
        (this.#group('blkio').has('blkio.bfq.weight') || this.#group('blkio').has('blkio.weight')),
    };
  }

  enter(id: string): Operation[] {
    const controllers = this.#hierarchies(id).map(([controller]) => controller);
    const pathOf = (controller: Controller) => this.#group(controller, id).path;
    const joined = controllers.filter((controller) => controller !== 'memory');
    return [...controllers.map(pathOf).flatMap(planGroup), ...joined.map(pathOf).flatMap(planJoining)];
  }

  enterLate(id: string): LateEntry {
    return planLateEntry(this.#group('memory', id).path);
  }

  setLimits(id: string, limits: Limits, before: Limits): Operation[] {
    if (wantsCpuset(limits)) this.#ensureCpuset(id);
    const writes = withoutKnown(planLimitsV1(limits, memoryOf(before)), planLimitsV1(before, memoryOf({})));
    const known = writes.filter((write) => this.#knows(write));
    return [
      ...known.flatMap((write) => planControl(this.#group(write.controller, id).path, write)),
      ...(wantsCpuset(limits) && this.#mounts.has('cpuset')
        ? planJoining(this.#group('cpuset', id).path)
        : []),
    ];
  }

  update(id: string, limits: Limits): void {
    const isNewInCpuset = wantsCpuset(limits) && !this.#hasCpuset(id);
    if (isNewInCpuset) this.#ensureCpuset(id);
    try {
      this.#apply(id, limits);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EBUSY') throw error;
      throw new EngineError('conflict', `It uses more memory than ${limits.memory} bytes.`, { cause: error });
    }
    if (isNewInCpuset) this.#moveInto('cpuset', id);
  }

  open(id: string): Record<string, number> {
    const entries = this.#hierarchies(id).map(([controller, path]) => [
      `${controller} cgroup`,
      openPath(join(path, this.#name, id, 'cgroup.procs'), OPEN.WRONLY),
    ]);
    return Object.fromEntries(entries);
  }

  async freeze(id: string): Promise<void> {
    if (!this.#mounts.has('freezer')) {
      throw new EngineError('unavailable', 'The kernel has no freezer mounted, so nothing can be paused.');
    }
    const group = this.#group('freezer', id);
    const ask = () => group.set('freezer.state', 'FROZEN');
    ask();
    this.#frozen.add(id);
    await frozenWithin({
      isFrozen: () => group.text('freezer.state') === 'FROZEN\n',
      again: ask,
      giveUp: () => this.thaw(id),
    });
  }

  thaw(id: string): void {
    this.#group('freezer', id).set('freezer.state', 'THAWED');
    this.#frozen.delete(id);
  }

  adopt(id: string): boolean {
    const isFrozen = this.#isFrozen(id);
    if (isFrozen) this.#frozen.add(id);
    return isFrozen;
  }

  processes(id: string): number[] {
    return this.#group('pids', id).processes();
  }

  /** The end of the container's first process, which comes with this, ends all others (pid_namespaces(7)); but frozen ones take no signal. */
  kill(id: string): void {
    if (this.#frozen.has(id)) this.#killFrozen(id);
  }

  folders(id: string): string[] {
    return this.#controllers().map((controller) => this.#group(controller, id).path);
  }

  async remove(id: string): Promise<void> {
    if (this.#isFrozen(id)) this.#killFrozen(id);
    for (const controller of this.#controllers()) await this.#group(controller, id).remove();
  }

  list(): string[] {
    return [...new Set(this.#controllers().flatMap((controller) => this.#group(controller).children()))];
  }

  stats(id: string): ResourceStats {
    const memory = this.#group('memory', id);
    const cpuacct = this.#group('cpuacct', id);
    const bandwidth = this.#group('cpu', id).fields('cpu.stat');
    const pids = this.#group('pids', id);
    return {
      memory: {
        usage: memory.number('memory.usage_in_bytes'),
        peak: memory.number('memory.max_usage_in_bytes'),
        limit: limitOf(memory, 'memory.limit_in_bytes'),
        failures: memory.number('memory.failcnt'),
        details: memory.fields('memory.stat'),
      },
      pids: { current: pids.number('pids.current'), limit: pids.number('pids.max') },
      cpu: {
        total: cpuacct.number('cpuacct.usage'),
        user: cpuacct.number('cpuacct.usage_user'),
        kernel: cpuacct.number('cpuacct.usage_sys'),
        perCpu: cpuacct.text('cpuacct.usage_percpu').trim().split(' ').map(Number),
        periods: bandwidth.nr_periods ?? 0,
        throttledPeriods: bandwidth.nr_throttled ?? 0,
        throttled: bandwidth.throttled_time ?? 0,
      },
      io: this.#mounts.has('blkio') ? readIo(this.#group('blkio', id)) : [],
    };
  }

  get canGiveWay(): boolean {
    return this.#group('cpu').has('cpu.idle');
  }

  giveWay(id: string, gives: boolean): void {
    this.#group('cpu', id).set('cpu.idle', gives ? 1 : 0);
  }

  givesWay(id: string): boolean {
    return this.#group('cpu', id).number('cpu.idle') === 1;
  }

  processorTime(id?: string): number {
    return this.#group('cpuacct', id).number('cpuacct.usage');
  }

  oomKills(id: string): number {
    return this.#group('memory', id).field('memory.oom_control', 'oom_kill');
  }

  /** Its service's group is one of a hierarchy that limits nothing here. */
  adoptZygote(): void {}

  close(): void {
    if (this.#quickMoves !== undefined) closeSync(this.#quickMoves);
    this.#quickMoves = undefined;
  }

  async removeAll(): Promise<void> {
    for (const id of this.list()) await this.remove(id);
    for (const controller of this.#controllers()) await this.#group(controller).remove();
  }

  /** Some group counts from now on, so that the kernel need not rewrite its code at the start of each first and the end of each last one. */
  #countSockets(): void {
    const memory = this.#group('memory');
    if (memory.has(SOCKETS_V1)) memory.set(SOCKETS_V1, -1);
  }

  #isFrozen(id: string): boolean {
    return this.#mounts.has('freezer') && this.#group('freezer', id).text('freezer.state').startsWith('FR');
  }

  #killFrozen(id: string): void {
    this.#group('pids', id).kill();
    this.thaw(id);
  }

  #apply(id: string, limits: Limits): void {
    const memory = this.#group('memory', id);
    const now = {
      memory: limitOf(memory, 'memory.limit_in_bytes'),
      memoryAndSwap: limitOf(memory, 'memory.memsw.limit_in_bytes'),
    };
    for (const write of planLimitsV1(limits, now)) this.#write(id, write);
  }

  #write(id: string, write: ControlWriteV1): void {
    if (this.#mounts.has(write.controller)) this.#group(write.controller, id).apply(write);
  }

  /** Whether there is such a file, as far as it is optional. */
  #knows({ controller, file, optional }: ControlWriteV1): boolean {
    if (!optional) return this.#mounts.has(controller);
    let known = this.#optional.get(file);
    if (known === undefined) {
      known = this.#mounts.has(controller) && this.#group(controller).has(file);
      this.#optional.set(file, known);
    }
    return known;
  }

  #hasCpuset(id: string): boolean {
    return this.#mounts.has('cpuset') && this.#group('cpuset', id).has('cgroup.procs');
  }

  /** A new group there may use nothing, until it is told what. */
  #ensureCpuset(id: string): void {
    if (!this.#mounts.has('cpuset')) return;
    for (const group of [this.#group('cpuset'), this.#group('cpuset', id)]) {
      group.ensure();
      for (const name of ['cpus', 'mems']) {
        const parent = new GroupFolder(join(group.path, '..')).text(`cpuset.${name}`).trim();
        if (group.text(`cpuset.${name}`).trim() === '') group.set(`cpuset.${name}`, parent);
      }
    }
  }

  /** Until none is outside: those that run may fork meanwhile. */
  #moveInto(controller: Controller, id: string): void {
    if (!this.#mounts.has(controller)) return;
    const group = this.#group(controller, id);
    const TRIES = 100;
    for (let tries = 0; tries < TRIES; tries++) {
      const inside = new Set(group.processes());
      const outside = this.processes(id).filter((pid) => !inside.has(pid));
      if (outside.length === 0) return;
      for (const pid of outside) group.addIfThere(pid);
    }
  }

  #controllers(): Controller[] {
    return [...this.#mounts.keys()];
  }

  /** Each hierarchy that the container has a group in, once: `cpu` and `cpuacct` may be one. In cpuset it is only if it asks for that, since a new group there must be filled in first. */
  #hierarchies(id: string): [Controller, string][] {
    const byMount = new Map<string, Controller>();
    for (const [controller, path] of this.#mounts) {
      if (controller !== 'cpuset' || this.#hasCpuset(id)) byMount.set(path, controller);
    }
    return [...byMount].map(([path, controller]) => [controller, path]);
  }

  #group(controller: Controller, id = ''): GroupFolder {
    return new GroupFolder(join(this.#mounts.get(controller)!, this.#name, id));
  }
}

/** A limit of memory; Infinity where there is none, or no such file. */
function limitOf(group: GroupFolder, file: string): number {
  const limit = group.number(file);
  return limit === 0 || limit >= NO_LIMIT ? Number.POSITIVE_INFINITY : limit;
}

function wantsCpuset(limits: Limits): boolean {
  return limits.cpus !== undefined || limits.memoryNodes !== undefined;
}

/** Lines of `8:0 Read 4096`, of bytes in one file and of requests in another. */
function readIo(group: GroupFolder): IoCount[] {
  const parse = (file: string) =>
    new Map(
      group
        .text(file)
        .split('\n')
        .map((line) => /^((\d+):(\d+) (Read|Write)) (\d+)$/.exec(line))
        .filter((match) => match !== null)
        .map((match) => [match[1]!, match]),
    );
  const requests = parse('blkio.throttle.io_serviced_recursive');
  return [...parse('blkio.throttle.io_service_bytes_recursive')].map(([key, match]) => ({
    major: Number(match[2]),
    minor: Number(match[3]),
    operation: match[4] === 'Read' ? 'read' : 'write',
    bytes: Number(match[5]),
    requests: Number(requests.get(key)?.[5] ?? 0),
  }));
}

/** Where each controller's hierarchy is mounted. */
function findMounts(): Map<Controller, string> {
  const mounts = cgroupMounts().filter(({ version }) => version === 1);
  const pathOf = (controller: Controller) => mounts.find(({ options }) => options.includes(controller))?.path;
  const missing = REQUIRED.find((controller) => !pathOf(controller));
  if (missing) {
    throw new Error(`The kernel has no "${missing}" cgroup mounted; containers cannot be limited.`);
  }
  return new Map(
    [...REQUIRED, ...OPTIONAL].flatMap((controller): [Controller, string][] => {
      const path = pathOf(controller);
      return path ? [[controller, path]] : [];
    }),
  );
}
