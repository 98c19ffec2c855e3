import { EngineError } from '../engine-error.ts';
import { readable } from './tar-format.ts';

const MAX_PATH = 4096;
const MAX_NAME = 255;
const MAX_DEPTH = 255;

/**
 * The path that an archive means, without `.` and leading `/`; `''` is the root itself. Throws `invalid` for one that leaves the
 * archive by `..`, or that no file system takes.
 */
export function memberPath(name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw refused(name, 'leaves the archive');
  if (name.includes('\0')) throw refused(name, 'holds a NUL');
  if (name.length > MAX_PATH || parts.length > MAX_DEPTH || parts.some((part) => part.length > MAX_NAME)) {
    throw refused(name, 'is too long or too deep');
  }
  return parts.join('/');
}

/** `a/b/c` → `a/b` and `c`. */
export function splitPath(path: string): { parent: string; name: string } {
  const at = path.lastIndexOf('/');
  return { parent: at < 0 ? '' : path.slice(0, at), name: path.slice(at + 1) };
}

function refused(name: string, why: string): EngineError {
  return new EngineError('invalid', `"${readable(name).slice(0, 300)}" in the archive ${why}.`);
}
