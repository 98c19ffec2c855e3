import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { PaasError } from '../deploy/model/paas-error.ts';

/** Settings of one instance, from the environment; see docs/settings.md. */
export interface Config {
  /** Everything that must last. */
  data: string;
  /** Sockets and other things of this boot. */
  run: string;
  /** Apps answer at `<app>.<domain>`. */
  domain: string;
  http: Address;
  /** undefined: HTTPS is off. */
  https: Address | undefined;
  /** Where certificates come from by themselves; undefined: from nowhere. */
  acme: { email: string; directory: string } | undefined;
  ssh: Address;
  /** Where Prometheus can ask besides the unix socket; undefined: nowhere. */
  metrics: Address | undefined;
  /** How many router processes there are. */
  routers: number;
  /** File with the first admin's public key; undefined: root's or the sudo user's. */
  adminKey: string | undefined;
  /** CIDR of the containers' addresses, at least a /24. */
  subnet: string;
  /** Seconds that a web dyno has to bind to $PORT. */
  bootTimeout: number;
  /** Seconds that a build may take, from its turn on. */
  buildTimeout: number;
  /** Bytes that each dyno and each step of a build may write; 0: as much as there is room. */
  diskLimit: number;
  /** CIDR: beside public addresses, webhooks may reach these. */
  webhookNetworks: string[];
  /** undefined: our own Redis on a unix socket. */
  redisUrl: string | undefined;
}

export interface Address {
  host: string;
  /** 0: a free one. */
  port: number;
}

/** What answers where, written to `$PAAS_RUN/endpoints.json` when everything does. */
export interface Endpoints {
  http: string;
  /** None where HTTPS is off. */
  https?: string;
  ssh: string;
  /** None unless PAAS_METRICS says where. */
  metrics?: string;
  dashboard: string;
}

/** Reads and checks the settings. Throws `invalid` with the variable's name. */
export function parseConfig(env: Record<string, string | undefined>): Config {
  return {
    data: absolutePath('PAAS_DATA', env.PAAS_DATA || '/var/lib/paas'),
    run: absolutePath('PAAS_RUN', env.PAAS_RUN || '/run/paas'),
    domain: parseDomain(env.PAAS_DOMAIN || 'localhost'),
    http: parseAddress('PAAS_HTTP', env.PAAS_HTTP || '0.0.0.0:80'),
    https: env.PAAS_HTTPS === 'off' ? undefined : parseAddress('PAAS_HTTPS', env.PAAS_HTTPS || '0.0.0.0:443'),
    acme: parseAcme(env),
    ssh: parseAddress('PAAS_SSH', env.PAAS_SSH || '0.0.0.0:2222'),
    metrics:
      (env.PAAS_METRICS || 'off') === 'off' ? undefined : parseAddress('PAAS_METRICS', env.PAAS_METRICS!),
    routers: parseRouters(env.PAAS_ROUTERS || defaultRouters()),
    adminKey: env.PAAS_ADMIN_KEY || undefined,
    subnet: parseSubnet(env.PAAS_SUBNET || '172.30.0.0/16'),
    bootTimeout: parseSeconds('PAAS_BOOT_TIMEOUT', env.PAAS_BOOT_TIMEOUT || '60'),
    buildTimeout: parseSeconds('PAAS_BUILD_TIMEOUT', env.PAAS_BUILD_TIMEOUT || '1800'),
    diskLimit: parseDiskLimit(env.PAAS_DISK_LIMIT || '10G'),
    webhookNetworks: (env.PAAS_WEBHOOK_NETWORKS || '').split(/[ ,]+/).filter(Boolean),
    redisUrl: env.REDIS_URL || undefined,
  };
}

/** Where things are below the data and run folders: one place, so that processes agree. */
export function paths(config: Pick<Config, 'data' | 'run'>) {
  return {
    /** Of user paas. */
    control: join(config.data, 'control'),
    database: join(config.data, 'control', 'paas.db'),
    repositories: join(config.data, 'control', 'repos'),
    logs: join(config.data, 'control', 'logs'),
    cache: join(config.data, 'control', 'cache'),
    hostKey: join(config.data, 'control', 'ssh_host_ed25519_key'),
    /** npm's settings (registry, cafile, proxies) of whoever installed the platform, for builds. */
    npmrc: join(config.data, 'control', 'npmrc'),
    /** Of root: images, containers, layers. */
    runtime: join(config.data, 'runtime'),
    endpoints: join(config.run, 'endpoints.json'),
    /** Docker Engine API with the policy for control; group paas. */
    engineSocket: join(config.run, 'engine.sock'),
    /** The same API without policy, for root alone. */
    dockerSocket: join(config.run, 'docker.sock'),
    /** Of user paas, mode 0700: the sockets below. */
    controlRun: join(config.run, 'control'),
    redisSocket: join(config.run, 'control', 'redis.sock'),
    /** Dashboard and API (HTTP), reached through the router. */
    dashboardSocket: join(config.run, 'control', 'dashboard.sock'),
    /** The keys of TLS session tickets. */
    ticketKeys: join(config.run, 'control', 'ticket-keys.json'),
    /** GET /metrics for Prometheus, for root and user paas. */
    metricsSocket: join(config.run, 'control', 'metrics.sock'),
    /** pre-receive hooks talk to control here. */
    hookSocket: join(config.run, 'control', 'hook.sock'),
  };
}

/** The same for each of the router processes; the first is 1. */
export function routerPaths(config: Pick<Config, 'run'>, router: number) {
  const suffix = router === 1 ? '' : `-${router}`;
  return {
    /** Where control talks to it. */
    socket: join(config.run, 'control', `router${suffix}.sock`),
    /** Its last route table, for one that starts without control. */
    routes: join(config.run, 'control', `routes${suffix}.json`),
  };
}

/** The numbers of the router processes. */
export function routerNumbers({ routers }: Pick<Config, 'routers'>): number[] {
  return Array.from({ length: routers }, (_, i) => i + 1);
}

function absolutePath(name: string, value: string): string {
  if (!value.startsWith('/') || value.includes('\0')) {
    throw new PaasError('invalid', `${name} must be an absolute path, not "${value}".`);
  }
  return value.replace(/\/+$/, '');
}

function parseAddress(name: string, value: string): Address {
  const match = /^(?:(\d{1,3}(?:\.\d{1,3}){3}):)?(\d{1,5})$/.exec(value);
  const port = Number(match?.[2]);
  if (!match || port > 65535) {
    throw new PaasError('invalid', `${name} must be ADDRESS:PORT, e.g. 0.0.0.0:80, not "${value}".`);
  }
  return { host: match[1] ?? '0.0.0.0', port };
}

/** The address is what says that somebody wants it, and agrees to the authority's terms. */
function parseAcme({
  PAAS_ACME_EMAIL: email,
  PAAS_ACME_DIRECTORY: directory = LETS_ENCRYPT,
}: Record<string, string | undefined>): Config['acme'] {
  if (!email || directory === 'off') return undefined;
  if (!/^[^\s@,?]{1,64}@[^\s@,?]{1,190}$/.test(email))
    throw new PaasError('invalid', `PAAS_ACME_EMAIL must be an e-mail address, not "${email}".`);
  const url = URL.canParse(directory) ? new URL(directory) : undefined;
  const isLocal = /^(localhost|127\.\d+\.\d+\.\d+)$/.test(url?.hostname ?? '');
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal)) return { email, directory };
  throw new PaasError(
    'invalid',
    `PAAS_ACME_DIRECTORY must be an https URL, or "off", not "${directory}". Without it: ${LETS_ENCRYPT}`,
  );
}

const LETS_ENCRYPT = 'https://acme-v02.api.letsencrypt.org/directory';

function parseSeconds(name: string, value: string): number {
  if (!/^\d{1,4}$/.test(value) || Number(value) === 0) {
    throw new PaasError('invalid', `${name} must be a number of seconds from 1 to 9999, not "${value}".`);
  }
  return Number(value);
}

function parseRouters(value: string): number {
  const routers = Number(value);
  if (/^\d{1,2}$/.test(value) && routers >= 1 && routers <= 32) return routers;
  throw new PaasError('invalid', `PAAS_ROUTERS must be a number of processes from 1 to 32, not "${value}".`);
}

/** One core of two is for the apps; each router takes 20 MB. */
function defaultRouters(): string {
  return String(Math.min(4, Math.max(1, Math.floor(availableParallelism() / 2))));
}

function parseDiskLimit(value: string): number {
  const match = /^(\d{1,4})([MG])$/.exec(value);
  const bytes = Number(match?.[1]) * (match?.[2] === 'G' ? 1024 ** 3 : 1024 ** 2);
  if (value === '0') return 0;
  if (bytes >= 64 * 1024 ** 2 && bytes <= 1000 * 1024 ** 3) return bytes;
  throw new PaasError(
    'invalid',
    `PAAS_DISK_LIMIT must be a size from 64M to 1000G, or 0 for no limit, not "${value}".`,
  );
}

function parseDomain(value: string): string {
  const domain = value.toLowerCase();
  if (
    domain.length > 190 ||
    !/^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(domain)
  ) {
    throw new PaasError('invalid', `PAAS_DOMAIN must be a host name, e.g. example.com, not "${value}".`);
  }
  return domain;
}

function parseSubnet(value: string): string {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(value);
  const octets = match?.slice(1, 5).map(Number) ?? [];
  const prefix = Number(match?.[5]);
  if (!match || octets.some((octet) => octet > 255) || prefix < 8 || prefix > 24) {
    throw new PaasError(
      'invalid',
      `PAAS_SUBNET must be an IPv4 network of /8 to /24, e.g. 172.30.0.0/16, not "${value}".`,
    );
  }
  return value;
}
