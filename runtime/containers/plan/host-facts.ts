import { closeSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { FSCONFIG, FSOPEN_CLOEXEC } from '../../syscall/constants.ts';
import { SystemCallError, systemCall } from '../../syscall/system-call.ts';

/** What plans depend on and only the machine can tell. */
export interface HostFacts {
  /** Overlay takes one layer at a time (`lowerdir+`, Linux 6.8); older kernels take all in one mount(2). */
  overlayLayers: boolean;
  /** Of MASKED_PATHS, what this kernel has. */
  maskedFiles: string[];
  maskedFolders: string[];
  /** Of READ_ONLY_PATHS, what this kernel has. */
  readOnlyPaths: string[];
  /** The number of the last capability that this kernel knows. */
  lastCapability: number;
  openFiles: { soft: number; hard: number };
  /** The runtime's own capabilities. */
  permitted: bigint;
}

/** Asks this machine. */
export function readHostFacts(): HostFacts {
  const masked = [...MASKED_PATHS, ...thermalPaths()].filter(exists);
  const hard = Math.min(hardLimitOfOpenFiles(), MAX_OPEN_FILES);
  return {
    overlayLayers: overlayTakesLayers(),
    maskedFiles: masked.filter((path) => !isFolder(path)),
    maskedFolders: masked.filter(isFolder),
    readOnlyPaths: READ_ONLY_PATHS.filter(exists),
    lastCapability: Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'latin1')),
    openFiles: { soft: Math.min(hard, SOFT_OPEN_FILES), hard },
    permitted: permittedCapabilities(),
  };
}

/**
 * What Docker masks (moby, oci/defaults.go): they tell of the machine or of other containers. And the kernel's command line
 * and what the machine's maker wrote into it (serial numbers), which Docker shows.
 */
const MASKED_PATHS = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/cmdline',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/dmi',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

/** How hot each processor got, which tells what the others compute; Docker masks it, too. */
function thermalPaths(): string[] {
  const CPUS = '/sys/devices/system/cpu';
  const cpus = readdirSync(CPUS).filter((name) => /^cpu\d+$/.test(name));
  return cpus.map((name) => `${CPUS}/${name}/thermal_throttle`);
}

/** What Docker makes read-only: writing there changes the machine. */
const READ_ONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

const MAX_OPEN_FILES = 1_048_576;
/** More than apps need; not the hard limit, since some programs close every possible descriptor at their start. */
const SOFT_OPEN_FILES = 65_536;

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isFolder(path: string): boolean {
  return lstatSync(path).isDirectory();
}

function permittedCapabilities(): bigint {
  return BigInt(`0x${/^CapPrm:\s+(\S+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? 0}`);
}

function hardLimitOfOpenFiles(): number {
  const line = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'));
  return line ? Number(line[1]) : SOFT_OPEN_FILES;
}

/** A kernel that knows `lowerdir+` looks the folder up; one before 6.5 keeps any option for later, 6.5 refuses it. */
function overlayTakesLayers(): boolean {
  const context = systemCall('fsopen', 'overlay', FSOPEN_CLOEXEC);
  try {
    systemCall('fsconfig', context, FSCONFIG.SET_STRING, 'lowerdir+', '/nonexistent', 0);
    return false;
  } catch (error) {
    return error instanceof SystemCallError && error.code === 'ENOENT';
  } finally {
    closeSync(context);
  }
}
