import { isIPv4 } from 'node:net';
import { join } from 'node:path';
import { EngineError } from './engine-error.ts';

/** What the runtime needs of an instance's settings (docs/settings.md). */
export interface Settings {
  /** Absolute folder; ours are `runtime` and `volumes` below it. */
  data: string;
  /** Absolute folder of the sockets. */
  run: string;
  /** CIDR of the containers' addresses. */
  subnet: string;
  /** Where the router listens, as far as they are IPv4 addresses: containers reach it there, too. */
  publicAddresses: { host: string; port: number }[];
  /** Folder of the base system; undefined: no base image is registered. */
  base: string | undefined;
}

/** Reads and checks the settings. Throws `invalid` with the variable's name. */
export function parseSettings(env: Record<string, string | undefined>): Settings {
  return {
    data: absolutePath('PAAS_DATA', env.PAAS_DATA || '/var/lib/paas'),
    run: absolutePath('PAAS_RUN', env.PAAS_RUN || '/run/paas'),
    subnet: parseSubnet(env.PAAS_SUBNET || '172.30.0.0/16'),
    publicAddresses: [env.PAAS_HTTP, env.PAAS_HTTPS].flatMap((value = '') => parsePublicAddress(value) ?? []),
    base: env.PAAS_BASE ? absolutePath('PAAS_BASE', env.PAAS_BASE) : undefined,
  };
}

/** Where the runtime's things are: one place, so that its parts agree. */
export function runtimePaths(settings: Pick<Settings, 'data' | 'run'>) {
  const root = join(settings.data, 'runtime');
  return {
    root,
    containers: join(root, 'containers'),
    /** Which containers there are, and their states: see Journal. */
    records: join(root, 'records'),
    /** Raw output of running containers, one file each: see RawOutput. */
    output: join(root, 'output'),
    images: join(root, 'images'),
    networks: join(root, 'networks'),
    /** Ports of the host that lead to containers as they come and go. */
    forwards: join(root, 'forwards.json'),
    layers: join(root, 'layers'),
    /** Root file systems that are mounted in advance: see ReadyRoots. */
    roots: join(root, 'roots'),
    trash: join(root, 'trash'),
    /** Archives of images that are being unpacked. */
    incoming: join(root, 'incoming'),
    volumes: join(settings.data, 'volumes'),
    /** What is known of each volume beyond its files. */
    volumeRecords: join(root, 'volumes'),
    /** Engine API without policy, for root alone. */
    dockerSocket: join(settings.run, 'docker.sock'),
    /** Engine API with the policy, for group paas. */
    engineSocket: join(settings.run, 'engine.sock'),
  };
}

function absolutePath(name: string, value: string): string {
  if (!value.startsWith('/') || value.includes('\0')) {
    throw new EngineError('invalid', `${name} must be an absolute path, not "${value}".`);
  }
  return value.replace(/(?<=.)\/+$/, '');
}

/** Another form is the router's matter (server/config.ts); port 0 is not known yet. */
function parsePublicAddress(value: string): Settings['publicAddresses'][number] | undefined {
  const [, host = '', port] = /^([\d.]+):(\d+)$/.exec(value) ?? [];
  return isIPv4(host) && Number(port) > 0 ? { host, port: Number(port) } : undefined;
}

function parseSubnet(value: string): string {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(value);
  const octets = match?.slice(1, 5).map(Number) ?? [];
  const prefix = Number(match?.[5]);
  if (!match || octets.some((octet) => octet > 255) || prefix < 8 || prefix > 24) {
    throw new EngineError(
      'invalid',
      `PAAS_SUBNET must be an IPv4 network of /8 to /24, e.g. 172.30.0.0/16, not "${value}".`,
    );
  }
  return value;
}
