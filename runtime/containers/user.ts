import { EngineError } from '../engine-error.ts';

/** Whom a process runs as. */
export interface User {
  uid: number;
  gid: number;
  /** Supplementary. */
  groups: number[];
  home: string;
}

/** Reads the image's `etc/passwd` or `etc/group`. */
export type ReadDatabase = (name: 'passwd' | 'group') => string | undefined;

const APP: User = { uid: 70000, gid: 70000, groups: [], home: '/app' };
const ROOT: User = { uid: 0, gid: 0, groups: [], home: '/root' };
/** As in Docker (moby/sys/user). The kernel takes twice as many, but for the last, which means "no change" to setuid(2). */
const MAX_ID = 0x7fff_ffff;
const USER = /^([A-Za-z_][A-Za-z0-9_.-]{0,31}|\d{1,10})?(?::([A-Za-z_][A-Za-z0-9_.-]{0,31}|\d{1,10}))?$/;

/**
 * `''` → app; `app`, `root`, `NAME`, `UID`, each with or without `:GROUP` or `:GID`, which alone means root in that group. A UID that the
 * image does not know is in group 0, for which images prepare their files; the app's own is in its group. Throws `invalid` for anything
 * else, or a name that the image does not know.
 */
export function resolveUser(text: string, read: ReadDatabase): User {
  if (text === '' || text === 'app') return APP;
  if (text === 'root' || text === '0' || text === '0:0' || text === 'root:root') return ROOT;
  const match = USER.exec(text);
  if (!match) throw new EngineError('invalid', `"${text}" is not a user, e.g. app, 1000 or 1000:1000.`);
  const [, name, group] = match;
  const user = name === undefined ? ROOT : findUser(name, read);
  return group === undefined ? user : { ...user, gid: findGroup(group, read), groups: [] };
}

function findUser(name: string, read: ReadDatabase): User {
  const numeric = /^\d/.test(name);
  const entry = lines(read('passwd')).find((fields) => fields[numeric ? 2 : 0] === name);
  if (entry) return knownUser(entry, read);
  if (!numeric) throw new EngineError('invalid', `The image has no user "${name}".`);
  const uid = parseId(name);
  return { uid, gid: uid === APP.uid ? APP.gid : 0, groups: [], home: '/' };
}

function knownUser(entry: string[], read: ReadDatabase): User {
  const groups = lines(read('group'))
    .filter((fields) => fields[3]?.split(',').includes(entry[0]!))
    .map((fields) => parseId(fields[2] ?? ''));
  return { uid: parseId(entry[2] ?? ''), gid: parseId(entry[3] ?? ''), groups, home: entry[5] || '/' };
}

function findGroup(name: string, read: ReadDatabase): number {
  if (/^\d/.test(name)) return parseId(name);
  const entry = lines(read('group')).find((fields) => fields[0] === name);
  if (!entry) throw new EngineError('invalid', `The image has no group "${name}".`);
  return parseId(entry[2] ?? '');
}

function lines(text: string | undefined): string[][] {
  return (text ?? '').split('\n').map((line) => line.split(':'));
}

function parseId(text: string): number {
  const id = Number(text);
  if (!/^\d{1,10}$/.test(text) || id > MAX_ID) {
    throw new EngineError('invalid', `"${text}" is not a user or group id (0 to ${MAX_ID}).`);
  }
  return id;
}
