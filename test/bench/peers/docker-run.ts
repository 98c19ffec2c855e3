import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MEETING, sleepingShell } from '../start/meeting.ts';
import type { Subject } from '../start/subject.ts';
import type { PeerOptions } from './command-peers.ts';
import { DockerDaemon } from './docker-daemon.ts';

const IMAGE = 'paas-bench-start';

/** `docker run`. */
export async function dockerPeer({ meeting, folder, base }: PeerOptions): Promise<Subject> {
  const daemon = await DockerDaemon.start(folder);
  daemon.importImage(base, IMAGE);
  const docker = (...args: string[]) =>
    promisify(execFile)('docker', ['-H', `unix://${daemon.socket}`, ...args]);
  return {
    name: 'docker run',
    includes: 'network, limits, all namespaces, seccomp',
    async start(token) {
      const limits = ['--memory', '64m', '--cpus', '0.5', '--pids-limit', '64'];
      const bind = ['-v', `${meeting.folder}:${MEETING}`];
      const name = ['--name', token, '-e', `TOKEN=${token}`];
      await docker('run', '-d', ...name, ...limits, ...bind, IMAGE, ...sleepingShell());
      return token;
    },
    async remove(name) {
      await docker('rm', '-f', name);
    },
    close: () => daemon.close(),
  };
}
