import { spawn } from 'node:child_process';
import { BoundSocket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { type Address, type Config, type Endpoints, paths, routerNumbers, routerPaths } from '../config.ts';
import { ensureOwnFile, replaceFile } from './files.ts';
import { KeptPorts } from './kept-ports.ts';
import { readNpmSettings } from './npm-settings.ts';
import type { HeldSocket, PassedSockets } from './passed-sockets.ts';
import { answersOnSocket, redisAnswers } from './probes.ts';
import { type Ready, Service, type ServiceOptions } from './service.ts';
import {
  precompileCommand,
  routerName,
  routerNumber,
  type ServiceName,
  type Surroundings,
  serviceCommand,
} from './services.ts';
import type { SystemUser } from './system-user.ts';

/** The processes of one instance: starts them in order, keeps them running, stops them in order. */
export class PlatformInstance {
  readonly #config: Config;
  readonly #around: Surroundings & { passed: PassedSockets };
  readonly #user: SystemUser;
  readonly #services = new Map<ServiceName, Service>();
  readonly #log: (name: string, line: string) => void;
  /** Where the router listens. Held here, clients wait in its queue while one router follows another. */
  #http: HeldSocket | undefined;
  #https: HeldSocket | undefined;
  /** The same for ports of the apps' own, by router. */
  readonly #ports = new Map<ServiceName, KeptPorts>();
  #dashboard: string | undefined;
  #stopping = false;

  constructor(
    config: Config,
    options: {
      around: Surroundings & { passed: PassedSockets };
      user: SystemUser;
      log: (name: string, line: string) => void;
    },
  ) {
    this.#config = structuredClone(config);
    this.#around = options.around;
    this.#user = options.user;
    this.#log = options.log;
  }

  /** Resolves when everything answers. Throws `unavailable`; nothing runs then. */
  async start(): Promise<Endpoints> {
    try {
      await this.#awaitPredecessors();
      const settings = this.#writeNpmSettings();
      this.#http = this.#hold(this.#config.http);
      this.#https = this.#config.https && this.#hold(this.#config.https);
      await Promise.all([
        this.#config.redisUrl ? undefined : this.#service('redis').start(),
        this.#service('runtime').start(),
        this.#precompile().then(() => this.#startRouters()),
        settings,
      ]);
      await this.#service('control').start();
    } catch (error) {
      await this.stop();
      throw error;
    }
    const endpoints = this.#endpoints();
    replaceFile(paths(this.#config).endpoints, `${JSON.stringify(endpoints)}\n`, { mode: 0o644 });
    return endpoints;
  }

  /** Starts the runtime alone, to look after containers while the platform is stopped. */
  async startRuntime(): Promise<void> {
    await this.#service('runtime').start();
  }

  /** Ends the processes that take work first. The apps' containers go on, unless `apps`: then nothing is left of them. */
  async stop({ apps = false } = {}): Promise<void> {
    this.#stopping = true;
    const end = (name: ServiceName, grace?: number) => this.#services.get(name)?.stop(grace);
    await Promise.all([end('control'), ...this.#routers.map((name) => end(name, 30_000))]);
    if (apps) await this.#removeContainers();
    // Without containers it takes what it has in the kernel with it.
    await end('runtime');
    await end('redis');
    this.#http?.close();
    this.#https?.close();
    this.#http = undefined;
    this.#https = undefined;
    for (const ports of this.#ports.values()) ports.close();
  }

  get #routers(): ServiceName[] {
    return routerNumbers(this.#config).map(routerName);
  }

  // All accept from the same sockets. The first one settles the ports that are to be picked.
  async #startRouters(): Promise<void> {
    const [first, ...others] = this.#routers.map((name) => this.#service(name));
    await first!.start();
    await Promise.all(others.map((router) => router.start()));
  }

  // While redis and runtime start. Should it fail, the processes do it themselves.
  #precompile(): Promise<void> {
    const { argv, env } = precompileCommand(this.#config, this.#around);
    const [file, ...args] = argv;
    return new Promise((resolve) => {
      const program = spawn(file, args, { env, stdio: 'ignore', cwd: '/' });
      program.once('error', () => resolve()).once('exit', () => resolve());
    });
  }

  async #removeContainers(): Promise<void> {
    // Loaded only here: node:http takes 8 MB.
    const { removeAllContainers } = await import('./containers.ts');
    const count = await removeAllContainers(paths(this.#config).dockerSocket);
    this.#log('main', `stopped and removed ${count} ${count === 1 ? 'container' : 'containers'}`);
  }

  #service(name: ServiceName): Service {
    if (this.#stopping) throw new PaasError('conflict', 'The platform is being stopped.');
    const made = new Service({
      name,
      command: () => serviceCommand(name, this.#config, this.#around),
      ...(routerNumber(name) && this.#routerSockets(name)),
      log: (line) => {
        const text = name === 'redis' ? redisNews(line) : line;
        if (text) this.#log(name, text);
      },
      onReady: (ready) => this.#learn(name, ready),
      ...(name === 'redis' && {
        answers: (signal: AbortSignal) => redisAnswers(paths(this.#config).redisSocket, signal),
      }),
    });
    this.#services.set(name, made);
    return made;
  }

  /** What a router gets from main beside its command, and main from it. */
  #routerSockets(name: ServiceName): Pick<ServiceOptions, 'command' | 'passes' | 'onMessage'> {
    const ports = new KeptPorts();
    this.#ports.set(name, ports);
    return {
      command: () => {
        const { argv, env } = serviceCommand(name, this.#config, this.#around);
        return { argv, env: { ...env, PAAS_PORT_FDS: ports.inOrder(FIRST_PASSED + this.#sockets().length) } };
      },
      passes: () => [...this.#sockets().map((socket) => socket.fd()), ...ports.descriptors],
      onMessage: (message, socket) => ports.note(message, socket),
    };
  }

  #hold(address: Address): HeldSocket {
    return this.#around.passed.find(address) ?? new BoundSocket(address);
  }

  #sockets(): HeldSocket[] {
    return [this.#http, this.#https].filter((socket) => socket !== undefined);
  }

  // A picked port is kept: the process gets it at its next start, and those who refer to it too.
  #learn(name: ServiceName, ready: Ready): void {
    const { http, https, metrics } = this.#config;
    const isRouter = routerNumber(name) !== undefined;
    if (isRouter) keepPort(http, ready.http);
    if (isRouter && https) keepPort(https, ready.https);
    if (name === 'control') keepPort(this.#config.ssh, ready.ssh);
    if (name === 'control' && metrics) keepPort(metrics, ready.metrics);
    if (name === 'control') this.#dashboard = ready.dashboard ?? this.#dashboard;
  }

  #endpoints(): Endpoints {
    const { http, https, ssh, metrics, domain } = this.#config;
    const port = http.port === 80 ? '' : `:${http.port}`;
    return {
      http: `${reachable(http)}:${http.port}`,
      ...(https && { https: `${reachable(https)}:${https.port}` }),
      ssh: `${reachable(ssh)}:${ssh.port}`,
      ...(metrics && { metrics: `${reachable(metrics)}:${metrics.port}` }),
      dashboard: this.#dashboard ?? `http://paas.${domain}${port}/`,
    };
  }

  // The processes of a main that was killed are about to end; a Redis that ends takes the socket's name away, which a new one may have by then.
  async #awaitPredecessors(): Promise<void> {
    const { redisSocket, dockerSocket } = paths(this.#config);
    const routers = routerNumbers(this.#config).map((router) => routerPaths(this.#config, router).socket);
    for (let tries = 0; tries < 100; tries += 1) {
      const alive = await Promise.all([redisSocket, dockerSocket, ...routers].map(answersOnSocket));
      if (!alive.includes(true)) return;
      if (tries === 5) this.#log('main', 'waiting for the processes of an earlier start to end');
      await sleep(200);
    }
  }

  // Of user paas, as control starts npm with them. Without npm (a systemd start) the last ones stay.
  async #writeNpmSettings(): Promise<void> {
    const { npmrc } = paths(this.#config);
    const settings = await readNpmSettings();
    if (settings === undefined) ensureOwnFile(npmrc, this.#user);
    else replaceFile(npmrc, settings, { mode: 0o600, owner: this.#user });
  }
}

/** The descriptor that a service gets as its first one. */
const FIRST_PASSED = 3;

/** A line of Redis without its prefix; empty for what it says at every start and end. */
function redisNews(line: string): string {
  const text = line.replace(/^\d+:\S+ (\(\d+\)|\d+ \w+ \d+ [\d:.]+) ?[.*#-]? ?/, '');
  return REDIS_NOISE.test(text) ? '' : text;
}

const REDIS_NOISE =
  /Redis is (starting|now ready)|Redis version=|Configuration loaded|Server initialized|Memory overcommit|scheduling shutdown|User requested shutdown/;

function keepPort(address: Address, announced: string | undefined): void {
  const port = Number(announced?.split(':').at(-1));
  if (address.port === 0 && port > 0) address.port = port;
}

/** Where a client on this machine reaches it. */
function reachable(address: Address): string {
  return address.host === '0.0.0.0' ? '127.0.0.1' : address.host;
}
