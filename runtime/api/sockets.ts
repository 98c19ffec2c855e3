import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, unlinkSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { EngineError } from '../engine-error.ts';

/** Throws `conflict` if a runtime answers there, which must be known before anything of its is touched. */
export async function refuseSecond(path: string): Promise<void> {
  if (await answers(path)) throw new EngineError('conflict', `Another runtime answers at "${path}".`);
}

/**
 * Listens on a unix socket that only root, and `group` if there is one, may use. Throws `conflict` if another runtime answers there. By our
 * umask nobody else may write to a new one, which connecting needs; one for this alone would be that of all files that are made meanwhile.
 */
export async function listenOnSocket(server: Server, path: string, group: string | undefined): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  if (existsSync(path)) await removeStale(path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  const gid = group === undefined ? undefined : findGroup(group);
  if (gid !== undefined) chownSync(path, 0, gid);
  chmodSync(path, gid === undefined ? 0o600 : 0o660);
}

/** A socket that a killed runtime left answers nobody. */
async function removeStale(path: string): Promise<void> {
  await refuseSecond(path);
  unlinkSync(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

function findGroup(name: string): number | undefined {
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  return line === undefined ? undefined : Number(line.split(':')[2]);
}
