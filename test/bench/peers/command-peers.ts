import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Meeting, sleepingShell } from '../start/meeting.ts';
import type { Subject } from '../start/subject.ts';

export interface PeerOptions {
  meeting: Meeting;
  /** A folder of its own. */
  folder: string;
  /** The root file system. */
  base: string;
}

/** `runc run`, the program that Docker has start its containers: over the base system itself, read-only. */
export function runcPeer({ meeting, folder, base }: PeerOptions): Subject {
  const state = join(folder, 'state');
  execFileSync('runc', ['spec', '--bundle', folder]);
  const spec = readFileSync(join(folder, 'config.json'), 'utf8');
  const runc = (...args: string[]) => promisify(execFile)('runc', ['--root', state, ...args]);
  return {
    name: 'runc run',
    includes: 'limits, all namespaces, no network, no image',
    async start(token) {
      const bundle = join(folder, token);
      mkdirSync(bundle, { recursive: true });
      writeFileSync(join(bundle, 'config.json'), JSON.stringify(runcConfig(spec, { token, meeting, base })));
      await detached('runc', ['--root', state, 'run', '--detach', '--bundle', bundle, token]);
      return token;
    },
    async remove(token) {
      await runc('delete', '--force', token);
    },
    async close() {},
  };
}

function runcConfig(spec: string, options: { token: string; meeting: Meeting; base: string }): object {
  const config = JSON.parse(spec);
  const { token, meeting, base } = options;
  Object.assign(config.process, { terminal: false, args: sleepingShell(PEER_MEETING) });
  config.process.env.push(`TOKEN=${token}`);
  config.root = { path: base, readonly: true };
  config.mounts.push({
    ...{ destination: PEER_MEETING, type: 'bind', source: meeting.folder, options: ['bind', 'rw'] },
  });
  // The base system is read-only, and /tmp the only folder where one can be made.
  config.mounts.splice(1, 0, { destination: '/tmp', type: 'tmpfs', source: 'tmpfs' });
  config.linux.resources.memory = { limit: 64 << 20 };
  config.linux.resources.pids = { limit: 64 };
  return config;
}

/** bwrap, as Flatpak starts applications. */
export function bwrapPeer({ meeting, base }: PeerOptions): Subject {
  const children = new Map<string, ChildProcess>();
  return {
    name: 'bwrap',
    includes: 'all namespaces, no limits, no network, no image',
    async start(token) {
      const child = spawn(
        'bwrap',
        [
          ...[
            '--unshare-all',
            '--die-with-parent',
            '--ro-bind',
            base,
            '/',
            '--dev',
            '/dev',
            '--proc',
            '/proc',
          ],
          ...[
            '--tmpfs',
            '/tmp',
            '--bind',
            meeting.folder,
            PEER_MEETING,
            '--setenv',
            'TOKEN',
            token,
            ...sleepingShell(PEER_MEETING),
          ],
        ],
        { stdio: 'ignore' },
      );
      children.set(token, child);
      return token;
    },
    async remove(token) {
      const child = children.get(token)!;
      children.delete(token);
      const ended = new Promise((resolve) => child.once('close', resolve));
      child.kill('SIGKILL');
      await ended;
    },
    async close() {},
  };
}

/** Where it can be mounted in a base system that is read-only. */
const PEER_MEETING = '/tmp/meeting';

/** Without pipes, which a detached container would keep open. */
function detached(program: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`${program} exited with ${code}.`)),
    );
  });
}

/** Whether a program is installed. */
export function isInstalled(program: string): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v "$0"', program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
