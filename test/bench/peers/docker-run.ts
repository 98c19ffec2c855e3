import { execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { MEETING, sleepingShell } from '../start/meeting.ts';
import type { Subject } from '../start/subject.ts';
import type { PeerOptions } from './command-peers.ts';

const IMAGE = 'paas-bench-start';
const BRIDGE = '/sys/class/net/docker0';

/** `docker run` of a dockerd that is started for this alone, in folders of its own, and leaves the host's firewall as it is. */
export async function dockerPeer({ meeting, folder, base }: PeerOptions): Promise<Subject> {
  const socket = `unix://${join(folder, 'docker.sock')}`;
  mkdirSync(folder, { recursive: true });
  const hadBridge = existsSync(BRIDGE);
  const log = openSync(join(folder, 'dockerd.log'), 'w');
  const daemon = spawn(
    'dockerd',
    [
      ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'run'), '-H', socket],
      ...['--pidfile', join(folder, 'pid'), '--iptables=false', '--ip6tables=false', '--ip-forward=false'],
    ],
    { stdio: ['ignore', log, log] },
  );
  const ended = new Promise((resolve) => daemon.once('exit', resolve));
  const docker = (...args: string[]) => promisify(execFile)('docker', ['-H', socket, ...args]);
  await answers(() => docker('version'));
  execFileSync('bash', ['-c', 'tar -C "$0" -c . | docker -H "$1" import - "$2"', base, socket, IMAGE], {
    stdio: 'ignore',
  });
  return {
    name: 'docker run',
    includes: 'network, limits, all namespaces, seccomp',
    async start(token) {
      const limits = ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '64'];
      const bind = ['-v', `${meeting.folder}:${MEETING}`];
      await docker(
        'run',
        '-d',
        '--name',
        token,
        '-e',
        `TOKEN=${token}`,
        ...limits,
        ...bind,
        IMAGE,
        ...sleepingShell(),
      );
      return token;
    },
    async remove(name) {
      await docker('rm', '-f', name);
    },
    async close() {
      daemon.kill('SIGTERM');
      await ended;
      if (!hadBridge) execFileSync('ip', ['link', 'delete', 'docker0']);
    },
  };
}

async function answers(ask: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await ask();
      return;
    } catch (error) {
      if (tries === 150) throw error;
      await sleep(200);
    }
  }
}
