import type { Forward, RefusedForward } from '../network/port-forwards.ts';
import type { PublishedPort, Traffic, TrafficRequest } from '../network/traffic.ts';
import type { TmpfsMount } from './tmpfs.ts';

/**
 * What the engine (containers/, api/) needs of the kernel side: the one seam between deciding and doing.
 * Implemented by `LinuxKernel` in linux-kernel.ts (zygote, cgroups, network).
 */
export interface Kernel {
  /** Starts a container's main process; resolves when the app has been exec'd. Throws `SetupError` with what failed in words (127 not found, 126 not executable). */
  start(spec: LaunchSpec): Promise<StartedProcess>;
  /** Takes up a container that an earlier runtime started, if exactly that process still lives; `traffic`: as at its start. */
  adopt(id: string, process: StartedProcess, traffic?: TrafficRequest): AdoptedProcess | undefined;
  /** Gives a running container other networks. */
  changeTraffic(id: string, change: Pick<Traffic, 'networks' | 'egress'>): Promise<void>;
  /** The host's ports that lead to containers as they come and go, in the place of the last ones; resolves with those that cannot be. */
  forward(forwards: Forward[]): Promise<RefusedForward[]>;
  /** Starts another process in a running container. Throws `SetupError`, or `conflict` if the container has ended or is ending. */
  exec(id: string, spec: ExecSpec): Promise<ExecProcess>;
  /** To the container's init, which forwards it to every process in the container; SIGKILL kills all at once. */
  kill(id: string, signal: number): void;
  /** Kills all at once in a container that nobody will ask how it ended: it is told as killed, whatever else had happened. */
  end(id: string): void;
  /** Kills all at once, and tells the container as killed for want of memory. */
  killForMemory(id: string): void;
  /** Running containers that take so much of what the kernel remembers connections in that others have none left. */
  connectionHogs(): Promise<string[]>;
  /** Called once per container (started or adopted) when its last process is gone. */
  onExit(listener: (id: string, exit: ContainerExit) => void): void;
  /** Removes what a stopped container still has in the kernel (cgroup, veth, address). Idempotent. */
  release(id: string): Promise<void>;
  /** Which limits it knows. */
  readonly limitFeatures: LimitFeatures;
  /** Gives a running container other limits. Throws `conflict` for less memory than it uses. */
  update(id: string, limits: Limits): void;
  /** Stops all processes of a container where they stand; they take signals when they go on. Throws `unavailable`. */
  pause(id: string): Promise<void>;
  /** Lets them go on. */
  unpause(id: string): void;
  /** The processes of a running container, in the host's numbers. */
  processes(id: string): number[];
  stats(id: string): ResourceStats;
  /** Whether it knows how a container gives way. */
  readonly canGiveWay: boolean;
  /** The processes of a container that gives way run only where those of no other want to; afterwards it has no CPU shares of its own. */
  giveWay(id: string, gives: boolean): void;
  givesWay(id: string): boolean;
  /** Nanoseconds of processor time that a container has used, or all together. */
  processorTime(id?: string): number;
  /** Mounts a container's disk for the runtime alone, whether or not the container runs; `root` and `folder` are its root until `close`. */
  openDisk(image: string): Promise<{ root: number; folder: string; close(): void }>;
  /** Gives the host back what the files on a running container's disk do not need any more. */
  trimDisk(image: string): Promise<void>;
  /** Runs a program of the host's to its end, as root, without input and output: starting one from here would hold everything else up for milliseconds. */
  execute(args: string[]): Promise<void>;
  /** What a running container sees as its root folder; undefined: it does not run. */
  openRoot(id: string): RootView | undefined;
  /** Layers were removed from the disk: what it has of them for containers to come keeps their files there. */
  forgetMissingLayers(): void;
  /** Mounts the root file system of a container that does not run, for the runtime alone. */
  openView(spec: ViewSpec): Promise<RootView>;
  /** Removes cgroups, veths and addresses of containers that are not in `known`. */
  cleanUp(known: Set<string>): Promise<void>;
}

/** A root folder that the runtime may look into; what is in there may be hostile. */
export interface RootView {
  /** Descriptor. */
  folder: number;
  /** What user 0 of the container's files is for the runtime. */
  ownersFrom: number;
  close(): void;
}

/** `lower`, topmost first, with an upper folder to write to or without. */
export interface ViewSpec {
  rootfs: LaunchSpec['rootfs'] | { lower: string[] };
  binds: LaunchSpec['binds'];
}

export interface LaunchSpec extends ProcessLimits {
  /** 64 hex digits. */
  id: string;
  rootfs: {
    /** Layer folders, topmost first. */
    lower: string[];
    /** Made, with the mode that the container's `/` has, if it is not there; and so is the next. */
    upper: string;
    work: string;
    /** Without sync to disk on umount: not for a container that will be committed. */
    volatile: boolean;
    /** The ext4 file that `upper` and `work` are on, and the empty folder to mount it at; undefined: on the host's own file system. */
    disk: { image: string; folder: string } | undefined;
  };
  hostname: string;
  /** Empty: none. */
  domainName: string;
  args: string[];
  env: string[];
  cwd: string;
  uid: number;
  gid: number;
  groups: number[];
  /** Capability names kept, e.g. `['CAP_CHOWN']`; empty for apps. */
  capabilities: string[];
  /** Its users are nobody outside, root neither. Where the kernel or a file system cannot, they are the host's. */
  userNamespace: boolean;
  limits: Limits;
  /** `none`: loopback only. `nat`: address from the pool, egress by masquerade. */
  network: 'none' | 'nat';
  /** Whom it meets, and what leads to it; only with `nat`. */
  traffic: TrafficRequest;
  /** Content of /etc/hosts lines beyond localhost and own name: `name:ip`. */
  extraHosts: string[];
  binds: { source: string; target: string; readOnly: boolean }[];
  shmSize: number;
  /** File systems in memory. */
  tmpfs?: TmpfsMount[];
  /** Nothing can be written to the root file system. */
  readOnlyRoot?: boolean;
  /** Settings of the kernel that the container has of its own, e.g. `net.core.somaxconn`. */
  sysctls?: Record<string, string>;
  /** With `pipes` stdout and stderr are the other ends of these, perhaps of one, and init moves what comes into their files. */
  stdio: (Stdio & { pipes?: OutputPipe[] }) | { terminal: TerminalSize };
  /** The file into which init writes the exit status ("0\n") when the main process ends. */
  exitFile: string;
}

/** Descriptors of the runtime, duplicated into the container; the caller closes its own afterwards. */
export interface Stdio {
  stdin: number | undefined;
  stdout: number;
  stderr: number;
}

/** Descriptors: the end of a pipe, and the file that what comes out of it goes to. */
export interface OutputPipe {
  read: number;
  file: number;
}

/** What each process may do with what the container has. */
export interface ProcessLimits {
  /** By the names of ulimit(1), e.g. `nofile`; -1: no limit. */
  ulimits?: { name: string; soft: number; hard: number }[];
  /** 0 to 1000. */
  oomScoreAdj?: number;
}

/** Undefined: no limit, or the kernel's default. */
export interface Limits {
  /** Bytes. */
  memory?: number | undefined;
  /** Bytes of memory and swap together; -1: no limit. Undefined: twice the memory. */
  memorySwap?: number | undefined;
  /** Bytes that it keeps while others want more. */
  memoryReservation?: number | undefined;
  /** Thousand-millionths of a core, as Docker's NanoCpus. In place of the next two. */
  nanoCpus?: number | undefined;
  /** Microseconds of processor time in each period. */
  cpuQuota?: number | undefined;
  cpuPeriod?: number | undefined;
  /** 2 to 262144, as Docker's CpuShares. */
  cpuShares?: number | undefined;
  /** Cores and memory nodes that it may use, e.g. `0-2,4`. */
  cpus?: string | undefined;
  memoryNodes?: string | undefined;
  pids?: number | undefined;
  /** 10 to 1000, as Docker's BlkioWeight. */
  ioWeight?: number | undefined;
}

/** Which limits this kernel knows, of those that not all do. */
export interface LimitFeatures {
  swap: boolean;
  cpuset: boolean;
  ioWeight: boolean;
}

/** What a container uses and has used. Times are in nanoseconds, amounts in bytes; no limit is Infinity. */
export interface ResourceStats {
  memory: {
    usage: number;
    peak: number;
    limit: number;
    /** How often the limit was reached. */
    failures: number;
    /** The kernel's memory.stat, as it is. */
    details: Record<string, number>;
  };
  pids: { current: number; limit: number };
  cpu: {
    total: number;
    user: number;
    kernel: number;
    /** Empty where the kernel does not tell. */
    perCpu: number[];
    periods: number;
    throttledPeriods: number;
    throttled: number;
  };
  io: IoCount[];
}

/** What was read from or written to one disk. */
export interface IoCount {
  major: number;
  minor: number;
  operation: 'read' | 'write';
  bytes: number;
  requests: number;
}

export interface TerminalSize {
  rows: number;
  columns: number;
}

export interface StartedProcess {
  /** Of the container's init, in the host's pid namespace. */
  pid: number;
  /** Field 22 of /proc/<pid>/stat: tells a reused pid apart. */
  startTime: string;
  /** The name of its control group; undefined in the file of a version that named it as the container. */
  group?: string;
  /** In the subnet; undefined without network. */
  address: string | undefined;
  /** Of the host's, that lead to it; undefined in the file of a version without them. */
  ports?: PublishedPort[];
  /** Where init writes the exit status. */
  exitFile: string;
  /** The pty's master, for a container with a terminal. Not kept across the runtime's restart. */
  terminal?: number;
}

/** `pipes`: the ends of those that init reads, which do not block; the caller closes them. */
export type AdoptedProcess =
  | { running: true; paused: boolean; pipes: number[] }
  | { running: false; exit: ContainerExit };

export interface ContainerExit {
  /** 0 to 255; 128+n for a signal; 137 for SIGKILL. */
  code: number;
  oomKilled: boolean;
}

export interface ExecSpec extends ProcessLimits {
  args: string[];
  env: string[];
  cwd: string;
  uid: number;
  gid: number;
  groups: number[];
  capabilities: string[];
  stdio: Stdio | { terminal: TerminalSize };
}

export interface ExecProcess {
  pid: number;
  terminal?: number;
  exited: Promise<number>;
  /** Kills it with everything that it has started and that has not begun a session of its own. */
  kill(): void;
}
