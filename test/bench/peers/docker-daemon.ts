import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';

const BRIDGE = '/sys/class/net/docker0';

/** A dockerd that is started for a comparison alone, in a folder of its own; it leaves the host's firewall as it is. */
export class DockerDaemon {
  readonly socket: string;
  readonly docker: Docker;
  readonly #folder: string;
  readonly #hadBridge = existsSync(BRIDGE);
  readonly #process: ReturnType<typeof spawn>;
  readonly #ended: Promise<unknown>;

  /** Resolves when it answers. */
  static async start(folder: string): Promise<DockerDaemon> {
    const daemon = new DockerDaemon(folder);
    for (let tries = 0; ; tries++) {
      try {
        await daemon.docker.ping();
        return daemon;
      } catch (error) {
        if (tries === MOST_TRIES) throw error;
        await sleep(200);
      }
    }
  }

  private constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    this.socket = join(folder, 'docker.sock');
    this.docker = new Docker({ socketPath: this.socket });
    const log = openSync(join(folder, 'dockerd.log'), 'w');
    this.#process = spawn(
      'dockerd',
      [
        ...['--data-root', join(folder, 'data'), '--exec-root', join(folder, 'run')],
        ...['-H', `unix://${this.socket}`, '--pidfile', join(folder, 'pid')],
        ...['--iptables=false', '--ip6tables=false', '--ip-forward=false'],
      ],
      { stdio: ['ignore', log, log] },
    );
    this.#ended = new Promise((resolve) => this.#process.once('exit', resolve));
  }

  /** Makes an image of a root file system. */
  importImage(root: string, name: string): void {
    const script = 'tar -C "$0" -c . | docker -H "unix://$1" import - "$2"';
    execFileSync('bash', ['-c', script, root, this.socket, name], { stdio: 'ignore' });
  }

  /** Ends it with its containers, and removes its folder. */
  async close(): Promise<void> {
    for (const { Id } of await this.docker.listContainers({ all: true })) {
      await this.docker.getContainer(Id).remove({ force: true });
    }
    this.#process.kill('SIGTERM');
    await this.#ended;
    if (!this.#hadBridge) execFileSync('ip', ['link', 'delete', 'docker0']);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const MOST_TRIES = 150;
