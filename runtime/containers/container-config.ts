import type { ImageConfig } from '../images/image.ts';

/** What a container was asked to be, as it stands in the records; the inner objects are spelt as the Engine API does. */
export interface ContainerConfig {
  /** 64 hex digits. */
  id: string;
  name: string;
  /** ISO 8601. */
  created: string;
  /** Image id, and the name by which it was asked for. */
  image: string;
  imageName: string;
  /** Layer ids, bottom first: the image's, then those that were committed from this container. */
  layers: string[];
  /** `platform`: made through the socket with the policy, and the only kind that can be seen there. */
  origin: Access;
  process: ProcessConfig;
  host: HostConfig;
  /** By the networks' ids; undefined in the file of a version without networks. */
  endpoints?: Record<string, Endpoint>;
}

/** A container's place in a network, as it asked for it. */
export interface Endpoint {
  aliases: string[];
  /** `CONTAINER:ALIAS`: by what other name it alone finds another container. */
  links: string[];
}

/** Through which of the two sockets. */
export type Access = 'root' | 'platform';

/** `Config` of the Engine API. */
export interface ProcessConfig extends ImageConfig {
  Hostname: string;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  StopSignal: string;
  /** Seconds. */
  StopTimeout: number;
}

/** `HostConfig` of the Engine API, as far as there is something to choose; 0 means no limit. */
export interface HostConfig
  extends LimitsConfig,
    MountsConfig,
    NetworkConfig,
    IsolationConfig,
    StorageConfig {
  AutoRemove: boolean;
}

/** How much of the machine. */
export interface LimitsConfig {
  /** Bytes. */
  Memory: number;
  NanoCpus: number;
  CpuShares: number;
  PidsLimit: number;
}

/** What is mounted into it. */
export interface MountsConfig {
  /** `SOURCE:TARGET[:ro|:rw]`; a SOURCE without a slash is a folder in `$PAAS_DATA/volumes`. */
  Binds: string[];
  /** Bytes. */
  ShmSize: number;
}

/** What it may write beyond its volumes. */
export interface StorageConfig {
  /** Bytes, `StorageOpt.size` of the Engine API; 0: as much as there is. */
  DiskSize: number;
}

/** Which networks and hosts it knows. */
export interface NetworkConfig {
  /** `default`, `none`, or the name of a network. */
  NetworkMode: string;
  /** `NAME:IP`; the IP can be `host-gateway`. */
  ExtraHosts: string[];
  /** IP addresses. */
  Dns: string[];
  DnsSearch: string[];
  DnsOptions: string[];
}

/** What it may do that others may not. */
export interface IsolationConfig {
  /** `CAP_…` */
  CapAdd: string[];
  /** `host`: root inside is root outside. Else a container that runs as root has a user namespace. */
  UsernsMode: '' | 'host';
}

/** The label of a container whose files need not reach the disk: quicker, but it cannot be committed and starts afresh. */
export const VOLATILE_LABEL = 'paas.volatile';

export function isVolatile(config: ContainerConfig): boolean {
  return config.process.Labels[VOLATILE_LABEL] === '1' || config.process.Labels[VOLATILE_LABEL] === 'true';
}

/** One entry of `Binds`. */
export interface Bind {
  source: string;
  target: string;
  readOnly: boolean;
}

/** `SOURCE:TARGET[:OPTIONS]`, or undefined for what is none. */
export function parseBind(text: string): Bind | undefined {
  const [source, target, options = 'rw', ...rest] = text.split(':');
  if (!source || !target?.startsWith('/') || rest.length > 0 || text.includes('\0')) return undefined;
  const flags = options.split(',');
  if (flags.some((flag) => !['ro', 'rw'].includes(flag))) return undefined;
  return { source, target, readOnly: flags.includes('ro') };
}
