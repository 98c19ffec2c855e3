import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoints } from '../../server/config.ts';
import { testSubnet } from '../fixtures/test-subnet.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const APPS = join(ROOT, 'test', 'fixtures', 'apps');
/** What instances have got of npm's registry: it need not bring Node.js to each of them anew. */
const DOWNLOADS = join(tmpdir(), 'paas-test-downloads');

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
}

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

export type ProcessName = 'redis' | 'runtime' | 'router' | 'control';

/** A whole platform of its own in a scratch folder, started as `npm start` does, driven from outside by git, ssh and HTTP. */
export class Instance {
  readonly folder = mkdtempSync(join(tmpdir(), 'paas-e2e-'));
  readonly environment: Record<string, string>;
  endpoints!: Endpoints;
  log = '';
  #main: ChildProcess | undefined;

  constructor(settings: Record<string, string> = {}) {
    chmodSync(this.folder, 0o711); // user paas must get through
    const key = join(this.folder, 'id');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'tester', '-f', key]);
    this.environment = {
      // As bootstrap.sh sets it.
      NODE_COMPILE_CACHE: '/var/cache/paas/compiled',
      PAAS_DATA: join(this.folder, 'data'),
      PAAS_RUN: join(this.folder, 'run'),
      PAAS_DOMAIN: 'localhost',
      PAAS_HTTP: '127.0.0.1:0',
      PAAS_HTTPS: '127.0.0.1:0',
      PAAS_SSH: '127.0.0.1:0',
      PAAS_SUBNET: testSubnet('platform'),
      PAAS_ADMIN_KEY: `${key}.pub`,
      ...settings,
    };
  }

  static async start(settings?: Record<string, string>): Promise<Instance> {
    const instance = new Instance(settings);
    instance.#takeDownloads();
    await instance.startMain();
    return instance;
  }

  /** `passes`: a socket, as systemd passes them (sd_listen_fds(3)). */
  async startMain({ passes }: { passes?: number } = {}): Promise<void> {
    const file = join(this.environment.PAAS_RUN!, 'endpoints.json');
    rmSync(file, { force: true });
    const main = spawn(
      'sh',
      [
        ...[
          '-c',
          `${passes === undefined ? '' : 'LISTEN_PID=$$ LISTEN_FDS=1 '}exec "$0" "$@"`,
          process.execPath,
        ],
        ...['--disable-warning=ExperimentalWarning', join(ROOT, 'server', 'main.ts')],
      ],
      {
        env: { ...process.env, ...this.environment },
        stdio: ['ignore', 'pipe', 'pipe', ...(passes === undefined ? [] : [passes])],
      },
    );
    this.#main = main;
    for (const stream of [main.stdout, main.stderr]) {
      stream?.on('data', (chunk) => {
        this.log += chunk;
      });
    }
    for (let waited = 0; !existsSync(file); waited += 50) {
      if (main.exitCode !== null || waited > 120_000)
        throw new Error(`The platform did not start:\n${this.log}`);
      await sleep(50);
    }
    this.endpoints = JSON.parse(readFileSync(file, 'utf8'));
  }

  /** SIGTERM to main: the platform ends, the containers go on. */
  async stopMain(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const main = this.#main;
    if (!main || main.exitCode !== null) return;
    const gone = new Promise((resolve) => main.once('exit', resolve));
    main.kill(signal);
    await gone;
  }

  get #downloads(): string {
    return join(this.environment.PAAS_DATA!, 'control', 'cache');
  }

  /** What earlier ones have left. Files there are never written to again, and keep their owner, who is the same for all. */
  #takeDownloads(): void {
    if (!existsSync(DOWNLOADS)) return;
    mkdirSync(this.environment.PAAS_DATA!);
    for (const folder of [join(this.#downloads, '..'), this.#downloads])
      execFileSync('install', ['-d', '-o', 'paas', '-g', 'paas', folder]);
    for (const name of readdirSync(DOWNLOADS).filter(isDownload))
      linkSync(join(DOWNLOADS, name), join(this.#downloads, name));
  }

  #leaveDownloads(): void {
    if (!existsSync(this.#downloads)) return;
    mkdirSync(DOWNLOADS, { recursive: true, mode: 0o700 });
    const there = readdirSync(DOWNLOADS);
    for (const name of readdirSync(this.#downloads)) {
      if (there.includes(name) || !isDownload(name)) continue;
      // Another instance may end at the same time.
      const own = join(DOWNLOADS, `${name}.${process.pid}`);
      linkSync(join(this.#downloads, name), own);
      renameSync(own, join(DOWNLOADS, name));
    }
  }

  /** Everything ends and is removed, containers too. */
  async remove(): Promise<void> {
    await this.stopMain();
    this.#leaveDownloads();
    execFileSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', join(ROOT, 'server', 'main.ts'), 'stop', '--apps'],
      {
        env: { ...process.env, ...this.environment },
        stdio: 'pipe',
      },
    );
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  }

  /** The pid of one of main's processes. */
  pid(name: ProcessName): number {
    const marks = {
      redis: 'redis-server',
      runtime: 'runtime/daemon.ts',
      router: 'server/router.ts',
      control: 'server/control.ts',
    };
    const children = readFileSync(`/proc/${this.#main!.pid}/task/${this.#main!.pid}/children`, 'utf8')
      .trim()
      .split(' ');
    const found = children.find((pid) => commandLine(pid).includes(marks[name]));
    if (!found) throw new Error(`${name} does not run`);
    return Number(found);
  }

  /** `kill -9`, as a fault; resolves when the process is gone. */
  async kill(name: ProcessName): Promise<void> {
    const pid = this.pid(name);
    process.kill(pid, 'SIGKILL');
    while (existsSync(`/proc/${pid}`)) await sleep(2);
  }

  get sshPort(): string {
    return this.endpoints.ssh.split(':').at(-1)!;
  }

  get httpPort(): number {
    return Number(this.endpoints.http.split(':').at(-1));
  }

  sshArguments(extra: string[] = []): string[] {
    const options = {
      StrictHostKeyChecking: 'no',
      UserKnownHostsFile: '/dev/null',
      IdentitiesOnly: 'yes',
      LogLevel: 'ERROR',
    };
    const flags = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    return [
      '-F',
      'none',
      '-i',
      join(this.folder, 'id'),
      '-p',
      this.sshPort,
      ...flags,
      ...extra,
      'paas@127.0.0.1',
    ];
  }

  /** A command as `ssh paas@host COMMAND`. */
  ssh(command: string, options: { stdin?: string; flags?: string[] } = {}): Promise<Outcome> {
    return run('ssh', [...this.sshArguments(options.flags), command], {
      ...(options.stdin !== undefined && { stdin: options.stdin }),
    });
  }

  /** Like ssh(), but must succeed; returns its stdout. */
  async paas(command: string): Promise<string> {
    const outcome = await this.ssh(command);
    if (outcome.status !== 0)
      throw new Error(`${command}: status ${outcome.status}\n${outcome.stdout}${outcome.stderr}`);
    return outcome.stdout;
  }

  /** Like paas(), but returns all that a person would see. */
  async say(command: string): Promise<string> {
    const outcome = await this.ssh(command);
    if (outcome.status !== 0)
      throw new Error(`${command}: status ${outcome.status}\n${outcome.stdout}${outcome.stderr}`);
    return outcome.stderr + outcome.stdout;
  }

  /** A repository with a copy of a sample app, committed, with the remote `paas`. */
  async checkout(sample: string, app: string): Promise<string> {
    const folder = join(this.folder, 'apps', `${app}-${Math.random().toString(36).slice(2, 8)}`);
    mkdirSync(folder, { recursive: true });
    cpSync(join(APPS, sample), folder, { recursive: true });
    await this.git(folder, 'init', '-q', '-b', 'main');
    await this.git(folder, 'remote', 'add', 'paas', `ssh://paas@127.0.0.1:${this.sshPort}/${app}`);
    await this.commit(folder, 'first');
    return folder;
  }

  async commit(folder: string, message: string): Promise<void> {
    await this.git(folder, 'add', '-A');
    await this.git(folder, 'commit', '-q', '--allow-empty', '-m', message);
  }

  write(folder: string, file: string, content: string): void {
    writeFileSync(join(folder, file), content);
  }

  /** git, which must succeed. */
  async git(folder: string, ...args: string[]): Promise<Outcome> {
    const outcome = await this.tryGit(folder, ...args);
    if (outcome.status !== 0)
      throw new Error(
        `git ${args.join(' ')}: status ${outcome.status}\n${outcome.stderr}\n${this.log.slice(-2000)}`,
      );
    return outcome;
  }

  tryGit(folder: string, ...args: string[]): Promise<Outcome> {
    return run('git', args, { cwd: folder, env: this.gitEnvironment() });
  }

  gitEnvironment(): Record<string, string> {
    const ssh = ['ssh', ...this.sshArguments().slice(0, -1)].map((word) => `'${word}'`).join(' ');
    return {
      ...(process.env as Record<string, string>),
      GIT_SSH_COMMAND: ssh,
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_AUTHOR_NAME: 'Tester',
      GIT_AUTHOR_EMAIL: 'tester@example.com',
      GIT_COMMITTER_NAME: 'Tester',
      GIT_COMMITTER_EMAIL: 'tester@example.com',
    };
  }

  push(folder: string, ref = 'main'): Promise<Outcome> {
    return this.tryGit(folder, 'push', 'paas', ref);
  }

  /** A push that must succeed; returns what the pusher saw. */
  async deploy(folder: string): Promise<string> {
    return (await this.git(folder, 'push', 'paas', 'main')).stderr;
  }

  get(app: string, path = '/', headers: Record<string, string> = {}): Promise<Answer> {
    return get(this.httpPort, { path, headers: { host: `${app}.localhost`, ...headers } });
  }

  /** Answers that are not 200 or do not come, while `work` runs; requests at a steady rate, each on its own connection or not. */
  async countFailures(
    app: string,
    options: { perSecond: number },
    work: () => Promise<void>,
  ): Promise<LoadResult> {
    const load = new Load(this.httpPort, `${app}.localhost`, options.perSecond);
    load.begin();
    await sleep(200);
    await work();
    await sleep(200);
    return load.end();
  }

  /** The app's log once a line matches; `flags` narrow it, e.g. `-s app`. */
  async waitForLog(
    app: string,
    pattern: RegExp,
    options: { flags?: string; milliseconds?: number } = {},
  ): Promise<string> {
    const { flags = '-s app', milliseconds = 15_000 } = options;
    for (const end = Date.now() + milliseconds; ; ) {
      const text = await this.paas(`logs -n 500 -a ${app} ${flags}`);
      if (pattern.test(text)) return text;
      if (Date.now() > end) throw new Error(`No log line matches ${pattern}:\n${text.slice(-3000)}`);
      await sleep(200);
    }
  }
}

export interface LoadResult {
  requests: number;
  failures: string[];
  bodies: Set<string>;
}

class Load {
  #result: LoadResult = { requests: 0, failures: [], bodies: new Set() };
  #pending = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #port: number;
  #host: string;
  #perSecond: number;

  constructor(port: number, host: string, perSecond: number) {
    this.#port = port;
    this.#host = host;
    this.#perSecond = perSecond;
  }

  begin(): void {
    let sent = 0;
    const began = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - began) / 1000) * this.#perSecond;
      for (; sent < due; sent += 1) this.#send();
    }, 5);
  }

  async end(): Promise<LoadResult> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    return this.#result;
  }

  #send(): void {
    this.#result.requests += 1;
    const done = get(this.#port, { path: '/', headers: { host: this.#host } })
      .then(
        (answer) => {
          if (answer.status === 200) this.#result.bodies.add(answer.body);
          else this.#result.failures.push(`${answer.status} ${answer.body.slice(0, 200)}`);
        },
        (error) => {
          this.#result.failures.push(String(error));
        },
      )
      .finally(() => this.#pending.delete(done));
    this.#pending.add(done);
  }
}

export function get(
  port: number,
  options: { path: string; headers: Record<string, string>; method?: string },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, timeout: 90_000, agent: false, ...options },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body }));
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}

export function run(
  file: string,
  args: string[],
  options: { cwd?: string; env?: Record<string, string>; stdin?: string } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const { stdin, ...rest } = options;
    const child = spawn(file, args, {
      ...rest,
      stdio: [stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout!.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr!.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ status: code ?? (signal ? 255 : 1), stdout, stderr }));
    if (stdin !== undefined) child.stdin!.end(stdin);
  });
}

/** Why the whole-platform tests cannot run here, if they cannot. */
export function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  return readdirSync('/var/cache').includes('paas') ? undefined : 'needs the set-up (npm test does it)';
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** An archive, or a list of versions. */
function isDownload(name: string): boolean {
  return /\.(tgz|versions\.json)$/.test(name);
}
