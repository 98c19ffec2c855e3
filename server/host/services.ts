import { join } from 'node:path';
import { type Address, type Config, paths } from '../config.ts';
import { SHARED_CACHE } from './base-system.ts';
import { PLATFORM_USER } from './system-user.ts';

/** A process of the platform: what to start, with which environment. */
export interface Command {
  argv: [string, ...string[]];
  env: Record<string, string>;
}

/** What the processes need beyond the settings. */
export interface Surroundings {
  /** The folder of the program (this checkout, or a copy that user paas can read). */
  program: string;
  /** The Node binary. */
  node: string;
  /** Folder of the base system. */
  base: string;
  /** Lines of authorized_keys; empty: none. */
  adminKeys: string;
  /** Where pip of the builds gets packages from, as variables of its environment. */
  pip: Record<string, string>;
  /** Of main itself. */
  environment: Record<string, string | undefined>;
}

/** The first router has no number. */
export type ServiceName = 'redis' | 'runtime' | 'router' | `router-${number}` | 'control';

/** What the process of this router is called. */
export function routerName(router: number): 'router' | `router-${number}` {
  return router === 1 ? 'router' : `router-${router}`;
}

/** Which router a process is; undefined: none. */
export function routerNumber(name: ServiceName): number | undefined {
  const match = /^router(?:-(\d+))?$/.exec(name);
  return match ? Number(match[1] ?? 1) : undefined;
}

/**
 * How each process is started. `config` holds the addresses as they are by now: a picked port replaces the 0, so that it is the
 * same after a restart, and control knows the router's.
 */
export function serviceCommand(name: ServiceName, config: Config, around: Surroundings): Command {
  return { argv: argv(name, config, around), env: environment(name, config, around) };
}

/** The program that compiles the sources of router and control into the cache of user paas, so that their first start is small already. */
export function precompileCommand(config: Config, around: Surroundings): Command {
  const script = [around.node, ...CACHE_FLAGS, join(around.program, 'server/precompile.ts')];
  return { argv: unprivileged(script), env: environment('control', config, around) };
}

function argv(name: ServiceName, config: Config, { node, program }: Surroundings): [string, ...string[]] {
  // Its experimental warnings are about what we use on purpose (node:sqlite, type stripping).
  const script = (file: string, ...flags: string[]) => [
    ...[node, '--disable-warning=ExperimentalWarning', ...flags],
    join(program, file),
  ];
  switch (name) {
    case 'redis':
      return unprivileged(redisArguments(config));
    case 'runtime':
      return ['setpriv', ...WITH_MAIN, '--', ...script('runtime/daemon.ts')];
    case 'control':
      return unprivileged(script('server/control.ts', ...CACHE_FLAGS), config.ssh);
    default:
      return unprivileged(script('server/router.ts', ...ROUTER_FLAGS));
  }
}

/**
 * V8's, for processes whose objects live as long as a request. By itself V8 makes what once lived long, such as the places of connections that
 * stay, in the old generation from then on: there they keep all that came with them until everything is collected.
 * All that share a compile cache have it: V8 takes nothing that was compiled with another such flag.
 */
const CACHE_FLAGS = ['--no-allocation-site-pretenuring'];

export const ROUTER_FLAGS = ['--max-semi-space-size=8', ...CACHE_FLAGS];

// Should main be killed, the processes end too (in order, as by SIGTERM): the next main starts its own.
const WITH_MAIN = ['--pdeathsig', 'TERM'];

/** As user paas, without any capability, but for the one to listen below 1024 where that is asked for. */
function unprivileged(command: string[], address?: Address): [string, ...string[]] {
  const capability = address && address.port > 0 && address.port < 1024 ? ',+net_bind_service' : '';
  const sets = ['--bounding-set', '--inh-caps', '--ambient-caps'].map((set) => `${set}=-all${capability}`);
  const user = ['--reuid', PLATFORM_USER, '--regid', PLATFORM_USER, '--init-groups', '--no-new-privs'];
  return ['setpriv', ...user, ...sets, ...WITH_MAIN, '--', ...command];
}

// BullMQ asks for noeviction. Nothing of it is kept on disk: control knows what waits and gives it to a Redis that lost it,
// and forgets what an earlier control had there. A file would only be something that a power cut or a full disk can damage.
function redisArguments(config: Config): string[] {
  const { controlRun, redisSocket } = paths(config);
  const options = {
    port: '0',
    unixsocket: redisSocket,
    unixsocketperm: '700',
    dir: controlRun,
    daemonize: 'no',
    appendonly: 'no',
    save: '',
    maxmemory: '256mb',
    'maxmemory-policy': 'noeviction',
    loglevel: 'warning',
    'io-threads': '1',
  };
  return ['redis-server', ...Object.entries(options).flatMap(([key, value]) => [`--${key}`, value])];
}

function environment(name: ServiceName, config: Config, around: Surroundings): Record<string, string> {
  const kept = Object.entries(around.environment).filter(
    ([key, value]) => value !== undefined && (PASSED_ON.has(key) || key.startsWith('PAAS_')),
  ) as [string, string][];
  const { data, run, domain, http, https, ssh, subnet, routers, metrics, redisUrl } = config;
  const own: Record<string, string> = {
    PAAS_DATA: data,
    PAAS_RUN: run,
    PAAS_DOMAIN: domain,
    PAAS_HTTP: `${http.host}:${http.port}`,
    PAAS_HTTPS: https ? `${https.host}:${https.port}` : 'off',
    PAAS_SSH: `${ssh.host}:${ssh.port}`,
    PAAS_SUBNET: subnet,
    PAAS_ROUTERS: String(routers),
    PAAS_METRICS: metrics ? `${metrics.host}:${metrics.port}` : 'off',
    // Holds our sources without their types: half the start's time and 20 MB less a process.
    NODE_COMPILE_CACHE: name === 'runtime' ? COMPILED : join(paths(config).control, 'compiled'),
    // Node's threads hardly allocate: an arena each would only cost memory (5 MB measured).
    MALLOC_ARENA_MAX: '1',
    HOME: name === 'runtime' ? '/root' : '/nonexistent',
  };
  if (redisUrl) own.REDIS_URL = redisUrl;
  // The descriptors that main passes.
  const router = routerNumber(name);
  if (router !== undefined) {
    own.PAAS_ROUTER = String(router);
    own.PAAS_HTTP_FD = '3';
    if (https) own.PAAS_HTTPS_FD = '4';
  }
  if (name === 'runtime') own.PAAS_BASE = around.base;
  if (name === 'control') Object.assign(own, around.pip, { PAAS_ADMIN_PUBLIC_KEY: around.adminKeys });
  return { PATH: DEFAULT_PATH, LANG: 'C.UTF-8', ...Object.fromEntries(kept), ...own };
}

const COMPILED = join(SHARED_CACHE, 'compiled');
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

// An allow-list: what an administrator's shell happens to hold (tokens …) is nobody's business.
const PASSED_ON = new Set([
  ...['TZ', 'NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'],
]);
