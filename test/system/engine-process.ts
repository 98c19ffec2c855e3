import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Docker from 'dockerode';
import { baseSystemFolder, SHARED_CACHE } from '../../server/host/base-system.ts';
import { testSubnet } from '../fixtures/test-subnet.ts';

const DAEMON = new URL('../../runtime/daemon.ts', import.meta.url).pathname;

export const BASE = 'paas/base:debian-12';

/** Why the tests with real containers cannot run here; undefined: they can. */
export function missingForContainers(): string | undefined {
  if (process.getuid?.() !== 0) return 'real containers need root';
  return findBase() ? undefined : `no base system in ${SHARED_CACHE}`;
}

/** A runtime as a process of its own, which a test can kill, with real containers; and the clients that drive it. */
export class EngineProcess {
  readonly root = join(tmpdir(), `paas-runtime-${randomBytes(6).toString('hex')}`);
  readonly docker: Docker;
  readonly platform: Docker;
  readonly subnet: string;
  readonly #nodeArguments: string[];
  /** The network namespace that it takes for the host's; undefined: this one. */
  networkNamespace: string | undefined;
  #child: ChildProcess | undefined;

  constructor(subnet = testSubnet('runtime'), nodeArguments: string[] = []) {
    this.subnet = subnet;
    this.#nodeArguments = nodeArguments;
    this.docker = new Docker({ socketPath: join(this.root, 'run', 'docker.sock') });
    this.platform = new Docker({ socketPath: join(this.root, 'run', 'engine.sock') });
  }

  /** Whether there ever was one: false where the tests are skipped. */
  get used(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number {
    return this.#child!.pid!;
  }

  async start(): Promise<void> {
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    const inNamespace = this.networkNamespace ? ['nsenter', `--net=/run/netns/${this.networkNamespace}`] : [];
    const [program, ...args] = [...inNamespace, process.execPath, ...this.#nodeArguments, DAEMON];
    this.#child = spawn(program!, args, {
      env: this.#environment(),
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    // On a slow machine it takes its time; what it must not do is end.
    while (!(await this.docker.ping().catch(() => undefined))) {
      const { exitCode, signalCode } = this.#child;
      if (exitCode !== null || signalCode) {
        throw new Error(`The runtime did not start: it ended with ${signalCode ?? exitCode}.`);
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** What another runtime of the same instance says and exits with. */
  startSecond(): { status: number | null; stderr: string } {
    return spawnSync(process.execPath, [DAEMON], { env: this.#environment(), encoding: 'utf8' });
  }

  /** Ends the runtime; its containers go on. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  /** The real docker client. */
  async client(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const env = { ...process.env, DOCKER_HOST: `unix://${join(this.root, 'run', 'docker.sock')}` };
    try {
      const { stdout, stderr } = await promisify(execFile)('docker', args, { env, timeout: 20_000 });
      return { code: 0, stdout, stderr };
    } catch (error) {
      return error as { code: number; stdout: string; stderr: string };
    }
  }

  /** Standard output of the real docker client, of a command that must succeed. */
  async output(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.client(...args);
    assert.equal(code, 0, `docker ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** What `command` prints when a person types it at a terminal. */
  atTerminal(command: string): string {
    const env = { ...process.env, DOCKER_HOST: `unix://${join(this.root, 'run', 'docker.sock')}` };
    const output = execFileSync('script', ['-qec', command, '/dev/null'], {
      env,
      timeout: 20_000,
      input: '',
    });
    // script(1) types an end of file, which the terminal echoes.
    return output.toString().replaceAll('^@', '');
  }

  /** `POST /forwards`, which is no part of Docker's API. */
  forward(
    Forwards: { Protocol: string; Port: number; Targets: { Container: string; Port: number }[] }[],
    socket = this.docker,
  ): Promise<{ Refused: { Protocol: string; Port: number; Reason: string }[] }> {
    const call = { path: '/forwards', method: 'POST', options: { Forwards }, statusCodes: { 200: true } };
    return new Promise((resolve, reject) => {
      socket.modem.dial(call, (error, answer) => (error ? reject(error) : resolve(answer as never)));
    });
  }

  async removeContainers(): Promise<void> {
    const found = await this.docker.listContainers({ all: true });
    await Promise.all(found.map(({ Id }) => this.docker.getContainer(Id).remove({ force: true })));
  }

  async remove(): Promise<void> {
    await this.removeContainers();
    await this.end('SIGTERM');
    rmSync(this.root, { recursive: true, force: true });
  }

  #environment(): NodeJS.ProcessEnv {
    return {
      PATH: process.env.PATH,
      // Without it each start compiles all that it loads.
      ...(process.env.NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }),
      PAAS_DATA: join(this.root, 'data'),
      PAAS_RUN: join(this.root, 'run'),
      PAAS_SUBNET: this.subnet,
      PAAS_BASE: findBase(),
    };
  }
}

/** The folder of the base system, if there is one. */
export function findBase(): string | undefined {
  const folder = baseSystemFolder();
  return existsSync(folder) ? folder : undefined;
}
