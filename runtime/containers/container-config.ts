import type { ImageConfig } from '../images/image.ts';
import type { MountPoint } from './mount-points.ts';

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
  /** What is mounted into it, volumes by name; undefined in the file of a version that had only `host.Binds`. */
  mounts?: MountPoint[];
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
export interface ProcessConfig extends Omit<ImageConfig, 'Healthcheck'> {
  Hostname: string;
  /** Undefined in the file of an earlier version. */
  Domainname?: string;
  Tty: boolean;
  OpenStdin: boolean;
  StdinOnce: boolean;
  AttachStdin: boolean;
  AttachStdout: boolean;
  AttachStderr: boolean;
  StopSignal: string;
  /** Seconds. */
  StopTimeout: number;
  /** Undefined: its health is not looked at. */
  Healthcheck: HealthConfig | undefined;
}

/** How to find out whether an app is well; times are in nanoseconds, 0: the default. */
export interface HealthConfig {
  /** `['CMD', …]`, `['CMD-SHELL', line]`, `['NONE']`; empty: as the image has it. */
  Test: string[];
  Interval: number;
  Timeout: number;
  /** While it starts, failures do not count. */
  StartPeriod: number;
  StartInterval: number;
  /** So many failures in a row make it unhealthy. */
  Retries: number;
}

/** `HostConfig` of the Engine API, as far as there is something to choose; 0 means no limit. */
export interface HostConfig
  extends LimitsConfig,
    ProcessLimitsConfig,
    TmpfsConfig,
    MountsConfig,
    NetworkConfig,
    PortsConfig,
    IsolationConfig,
    StorageConfig {
  AutoRemove: boolean;
  RestartPolicy: RestartPolicy;
}

/** What happens when it has ended. */
export interface RestartPolicy {
  Name: 'no' | 'always' | 'unless-stopped' | 'on-failure';
  /** Of `on-failure`; 0: no end. */
  MaximumRetryCount: number;
}

/** How much of the machine; what can be changed while it runs. 0 and '': the kernel's default. */
export interface LimitsConfig {
  /** Bytes. */
  Memory: number;
  /** Bytes of memory and swap together; -1: no limit, 0: twice the memory. */
  MemorySwap: number;
  MemoryReservation: number;
  NanoCpus: number;
  /** Microseconds. */
  CpuPeriod: number;
  CpuQuota: number;
  CpuShares: number;
  /** E.g. `0-2,4`. */
  CpusetCpus: string;
  CpusetMems: string;
  /** -1: no limit. */
  PidsLimit: number;
  BlkioWeight: number;
}

/** What its processes may do with what they have. */
export interface ProcessLimitsConfig {
  Ulimits: Ulimit[];
  /** 0 to 1000: who is killed first when the machine has no memory left. */
  OomScoreAdj: number;
  Sysctls: Record<string, string>;
}

/** One of setrlimit(2)'s; -1: no limit. */
export interface Ulimit {
  Name: string;
  Soft: number;
  Hard: number;
}

/** What of its file system is in memory, or cannot be written to. */
export interface TmpfsConfig {
  /** Folder → mount options, e.g. `size=64m,mode=1777`. */
  Tmpfs: Record<string, string>;
  ReadonlyRootfs: boolean;
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

/** Which ports of the host lead to it. */
export interface PortsConfig {
  /** By `80/tcp`. */
  PortBindings: Record<string, PortBinding[]>;
  /** Those of Config.ExposedPorts, too. */
  PublishAllPorts: boolean;
}

export interface PortBinding {
  /** IPv4; empty: all addresses of the host. */
  HostIp: string;
  /** `8080`, `8000-8010`, or empty: any. */
  HostPort: string;
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
  /** A new volume stays empty, whatever the image has there. */
  noCopy: boolean;
}

/** Options without a meaning here: of SELinux, of other systems, or what is done anyway. */
const IDLE_OPTIONS = ['z', 'Z', 'cached', 'delegated', 'consistent', 'private', 'rprivate'];

/** `SOURCE:TARGET[:OPTIONS]`, or undefined for what is none. */
export function parseBind(text: string): Bind | undefined {
  const [source, target, options = 'rw', ...rest] = text.split(':');
  if (!source || !target?.startsWith('/') || rest.length > 0 || text.includes('\0')) return undefined;
  const flags = options.split(',');
  if (flags.some((flag) => !['ro', 'rw', 'nocopy', ...IDLE_OPTIONS].includes(flag))) return undefined;
  return { source, target, readOnly: flags.includes('ro'), noCopy: flags.includes('nocopy') };
}
