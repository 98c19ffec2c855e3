import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { type Config, paths } from '../config.ts';
import type { SystemUser } from './system-user.ts';

interface Folder {
  path: string;
  owner: 'root' | 'paas';
  mode: number;
}

/** The folders of an instance with owners and modes: only the runtime's is root's, as only it is root. */
export function instanceFolders(config: Config): Folder[] {
  const at = paths(config);
  return [
    { path: config.data, owner: 'root', mode: 0o755 },
    { path: at.control, owner: 'paas', mode: 0o700 },
    { path: at.runtime, owner: 'root', mode: 0o711 },
    { path: config.run, owner: 'root', mode: 0o755 },
    { path: at.controlRun, owner: 'paas', mode: 0o700 },
  ];
}

/** Makes them, or corrects them. Throws `unavailable` when user paas could not reach its own. */
export function ensureFolders(config: Config, user: SystemUser): void {
  for (const { path, owner, mode } of instanceFolders(config)) {
    mkdirSync(path, { recursive: true, mode });
    chmodSync(path, mode);
    if (owner === 'paas') chownSync(path, user.uid, user.gid);
    else chownSync(path, 0, 0);
  }
  for (const path of [config.data, config.run]) requirePassable(dirname(path));
}

function requirePassable(path: string): void {
  if ((statSync(path).mode & 0o001) === 0) {
    throw new PaasError(
      'unavailable',
      `The platform's processes run as user "paas", which may not enter "${path}". Allow it (chmod o+x ${path}), or choose other folders with PAAS_DATA and PAAS_RUN.`,
    );
  }
  if (path !== '/') requirePassable(dirname(path));
}
