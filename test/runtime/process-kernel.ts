import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type {
  AdoptedProcess,
  ContainerExit,
  ExecProcess,
  ExecSpec,
  Kernel,
  LaunchSpec,
  LimitFeatures,
  Limits,
  OutputPipe,
  ResourceStats,
  StartedProcess,
  Stdio,
} from '../../runtime/containers/kernel.ts';
import { EngineError } from '../../runtime/engine-error.ts';

/** Runs containers as plain processes of this machine, without isolation, terminals or root: to test the engine alone. */
export class ProcessKernel implements Kernel {
  readonly #children = new Map<string, ChildProcess>();
  readonly #listeners: ((id: string, exit: ContainerExit) => void)[] = [];
  readonly launched: LaunchSpec[] = [];

  async start(spec: LaunchSpec): Promise<StartedProcess> {
    this.launched.push(spec);
    mkdirSync(spec.rootfs.upper, { recursive: true });
    const child = await this.#spawn(spec);
    this.#children.set(spec.id, child);
    child.once('exit', (code, signal) => {
      this.#children.delete(spec.id);
      const exit = { code: code ?? (signal === 'SIGKILL' ? 137 : 143), oomKilled: false };
      writeFileSync(spec.exitFile, `${exit.code}\n`);
      for (const listener of this.#listeners) listener(spec.id, exit);
    });
    const startTime = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(' ')[21]!;
    // Nothing leads there, but somebody may ask which they are.
    const ports = spec.traffic.publish.map(({ hostPorts: [first], ...request }) => ({
      ...request,
      hostPort: first || 49_000 + request.port,
    }));
    return { pid: child.pid!, startTime, address: undefined, exitFile: spec.exitFile, ports };
  }

  async changeTraffic(..._: Parameters<Kernel['changeTraffic']>): Promise<void> {}

  forgetMissingLayers(): void {}

  async forward(): Promise<[]> {
    return [];
  }

  readonly limitFeatures: LimitFeatures = { swap: true, cpuset: true, ioWeight: true };
  /** What `update` was called with last, by id. */
  readonly limits = new Map<string, Limits>();

  update(id: string, limits: Limits): void {
    this.limits.set(id, limits);
  }

  async pause(id: string): Promise<void> {
    this.#children.get(id)?.kill('SIGSTOP');
  }

  unpause(id: string): void {
    this.#children.get(id)?.kill('SIGCONT');
  }

  processes(id: string): number[] {
    return [this.#children.get(id)?.pid ?? []].flat();
  }

  adopt(): AdoptedProcess | undefined {
    return undefined;
  }

  async exec(_id: string, spec: ExecSpec): Promise<ExecProcess> {
    const child = await this.#spawn(spec);
    const exited = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? 137)));
    return { pid: child.pid!, exited, kill: () => child.kill('SIGKILL') };
  }

  kill(id: string, signal: number): void {
    this.#children.get(id)?.kill(signal);
  }

  end(id: string): void {
    this.kill(id, 9);
  }

  killForMemory(id: string): void {
    this.kill(id, 9);
  }

  async connectionHogs(): Promise<string[]> {
    return [];
  }

  onExit(listener: (id: string, exit: ContainerExit) => void): void {
    this.#listeners.push(listener);
  }

  openRoot() {
    return undefined;
  }

  async openView(): Promise<never> {
    throw new EngineError('conflict', 'ProcessKernel mounts nothing.');
  }

  async release(): Promise<void> {}

  stats(): ResourceStats {
    return {
      memory: {
        usage: 1,
        peak: 2,
        limit: Number.POSITIVE_INFINITY,
        failures: 0,
        details: { inactive_file: 0 },
      },
      pids: { current: 3, limit: Number.POSITIVE_INFINITY },
      cpu: {
        ...{ total: 4, user: 3, kernel: 1, perCpu: [] },
        ...{ periods: 0, throttledPeriods: 0, throttled: 0 },
      },
      io: [],
    };
  }

  readonly canGiveWay = false;

  giveWay(): never {
    throw new Error('ProcessKernel knows no processors.');
  }

  givesWay(): boolean {
    return false;
  }

  processorTime(): number {
    return 0;
  }

  async execute([program, ...args]: string[]): Promise<void> {
    await new Promise((resolve) => spawn(program!, args, { stdio: 'ignore' }).once('close', resolve));
  }

  openDisk(): Promise<never> {
    throw new Error('ProcessKernel has no disks.');
  }

  trimDisk(): Promise<never> {
    throw new Error('ProcessKernel has no disks.');
  }

  async cleanUp(): Promise<void> {}

  #spawn(spec: LaunchSpec | ExecSpec): Promise<ChildProcess> {
    if ('terminal' in spec.stdio) throw new Error('ProcessKernel has no terminals.');
    const { stdin } = spec.stdio;
    const [stdout, stderr = stdout] = outputOf(spec.stdio);
    const env = Object.fromEntries(spec.env.map((entry) => entry.split(/=(.*)/s).slice(0, 2)));
    const child = spawn(spec.args[0]!, spec.args.slice(1), {
      env,
      cwd: '/',
      stdio: [stdin ?? 'ignore', stdout, stderr],
      detached: true,
    });
    child.once('exit', () => endGroup(child.pid!));
    return new Promise((resolve, reject) => {
      child.once('spawn', () => resolve(child));
      child.once('error', (error) => {
        reject(
          Object.assign(new EngineError('invalid', `${spec.args[0]}: ${error.message}`), { exitCode: 127 }),
        );
      });
    });
  }
}

/** The files that a container's init would fill. */
function outputOf(stdio: Stdio & { pipes?: OutputPipe[] }): number[] {
  return stdio.pipes?.map(({ file }) => file) ?? [stdio.stdout, stdio.stderr];
}

/** As with a container, what a process has started ends with it. */
function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
