import { EngineError } from '../engine-error.ts';

/** A file system in memory that a container is given. Never with programs of set-user-id or devices. */
export interface TmpfsMount {
  target: string;
  /** Bytes. */
  size: number;
  /** Octal, as tmpfs(5) takes it. */
  mode: string;
  uid: number;
  gid: number;
  readOnly: boolean;
  executable: boolean;
}

const DEFAULT_SIZE = 64 * 1024 * 1024;
/** Smaller ones have room for so many files, too. */
const LEAST_FILES = 1024;

/**
 * How many files and folders fit in: two for each page. The kernel's own bound is half of the pages of the machine, and what some
 * attributes of a file hold is nobody's memory to it.
 */
export function mostFiles(size: number): number {
  return Math.max(LEAST_FILES, Math.ceil(size / 2048));
}

const UNITS: Record<string, number> = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** `size=64m,mode=1777,exec`, the options of `docker run --tmpfs`. Throws `invalid`. */
export function parseTmpfs(target: string, options: string): TmpfsMount {
  if (!target.startsWith('/') || target.split('/').some((part) => part === '.' || part === '..')) {
    throw new EngineError('invalid', `A tmpfs needs an absolute path without "." or "..", not "${target}".`);
  }
  if (/^\/+((proc|sys|dev)(\/.*)?)?$/.test(target)) {
    throw new EngineError(
      'invalid',
      `No tmpfs at "${target}": "/", "/proc", "/sys" and "/dev" are reserved.`,
    );
  }
  const mount: TmpfsMount = {
    target,
    ...{ size: DEFAULT_SIZE, mode: '1777', uid: 0, gid: 0 },
    ...{ readOnly: false, executable: false },
  };
  for (const option of options.split(',').filter(Boolean)) applyOption(mount, option);
  return mount;
}

function applyOption(mount: TmpfsMount, option: string): void {
  const [name, value = ''] = option.split(/=(.*)/s);
  switch (name) {
    case 'ro':
    case 'rw':
      mount.readOnly = name === 'ro';
      break;
    case 'exec':
    case 'noexec':
      mount.executable = name === 'exec';
      break;
    case 'size':
      mount.size = parseSize(option, value);
      break;
    case 'mode':
      if (!/^[0-7]{3,5}$/.test(value)) throw refusal(option);
      mount.mode = value;
      break;
    case 'uid':
    case 'gid':
      if (!/^\d{1,9}$/.test(value)) throw refusal(option);
      mount[name] = Number(value);
      break;
    case 'nosuid':
    case 'nodev':
    case 'noatime':
    case 'relatime':
      break;
    default:
      throw refusal(option);
  }
}

function parseSize(option: string, text: string): number {
  const [, digits, unit] = /^(\d{1,12})([kmg]?)$/i.exec(text) ?? [];
  const size = Number(digits) * UNITS[unit?.toLowerCase() ?? '']!;
  if (!(size > 0)) throw refusal(option);
  return size;
}

function refusal(option: string): EngineError {
  return new EngineError('invalid', `"${option}" is no option of a tmpfs here, e.g. size=64m or mode=1777.`);
}
