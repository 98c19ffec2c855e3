import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { instanceTag } from '../../../runtime/containers/instance-tag.ts';
import { BASE, EngineProcess } from '../../system/engine-process.ts';
import { childrenOf, kernelMemory, pss } from '../figures/memory-of.ts';
import { EngineClient } from './engine-client.ts';
import { MEETING, type Meeting, sleepingShell } from './meeting.ts';
import type { Subject } from './subject.ts';

export const SUBNET = '172.27.0.0/20';

/** Our runtime as a process of its own, driven over its socket; each start is two requests, as `docker run` does it. */
export class OurEngine implements Subject {
  readonly name = 'paas';
  readonly includes = 'network, limits, all namespaces, seccomp';
  readonly #engine: EngineProcess;
  readonly #meeting: Meeting;
  readonly #delayFile: string;
  #client!: EngineClient;
  #image = BASE;

  static async open(meeting: Meeting, delayFile: string): Promise<OurEngine> {
    const ours = new OurEngine(meeting, delayFile);
    await ours.#engine.start();
    ours.#client = new EngineClient(join(ours.#engine.root, 'run', 'docker.sock'));
    return ours;
  }

  private constructor(meeting: Meeting, delayFile: string) {
    const preload = new URL(`loop-delay.ts?file=${delayFile}`, import.meta.url).href;
    this.#engine = new EngineProcess(SUBNET, ['--import', preload]);
    this.#meeting = meeting;
    this.#delayFile = delayFile;
  }

  get pid(): number {
    return this.#engine.pid;
  }

  get tag(): string {
    return instanceTag(join(this.#engine.root, 'run'));
  }

  /** From now on starts this image, whose `sh` is another. */
  async useImage(tar: Buffer): Promise<void> {
    const path = join(this.#engine.root, 'run', 'docker.sock');
    const { request } = process.getBuiltinModule('node:http');
    this.#image = 'bench/shell:latest';
    await new Promise<void>((resolve, reject) => {
      const call = request(
        { socketPath: path, method: 'POST', path: '/v1.41/images/create?fromSrc=-&repo=bench/shell' },
        (response) => {
          response.resume();
          response.once('end', () =>
            response.statusCode === 200
              ? resolve()
              : reject(new Error(`The image was not imported: ${response.statusCode}`)),
          );
        },
      );
      call.once('error', reject);
      call.end(tar);
    });
  }

  start(token: string): Promise<string> {
    return this.#client.run({
      Image: this.#image,
      Cmd: sleepingShell(),
      Env: [`TOKEN=${token}`],
      HostConfig: {
        ...{ Memory: 64 << 20, NanoCpus: 500_000_000, PidsLimit: 64 },
        Binds: [`${this.#meeting.folder}:${MEETING}`],
      },
    });
  }

  remove(id: string): Promise<void> {
    return this.#client.remove(id);
  }

  async close(): Promise<void> {
    this.#client.close();
    await this.#engine.remove();
  }

  /** Waits until nothing is made or removed in the background any more; returns how many sandboxes are made in advance. */
  async settle(): Promise<number> {
    let before = -1;
    for (let now = this.interfaces(); now !== before; now = this.interfaces()) {
      before = now;
      await sleep(2000);
    }
    return before;
  }

  /** Networks of containers, and those made in advance. */
  interfaces(): number {
    return readdirSync('/sys/class/net').filter((name) => name.startsWith(`v${this.tag}-`)).length;
  }

  /** How many of these containers' networks answer: nobody listens, and their own kernel side says so. */
  async answering(ids: string[]): Promise<number> {
    let count = 0;
    for (const id of ids) {
      const { NetworkSettings } = await this.#inspect(id);
      const [network] = Object.values<{ IPAddress: string }>(NetworkSettings.Networks);
      if ((await connectionError(network!.IPAddress)) === 'ECONNREFUSED') count++;
    }
    return count;
  }

  /** Kilobytes: of the runtime with its zygote, and of the kernel. */
  memory(): { ours: number; kernel: number } {
    const own = [this.pid, ...childrenOf(this.pid)];
    return { ours: own.reduce((sum, pid) => sum + pss(pid), 0), kernel: kernelMemory() };
  }

  /** Kilobytes of a container's processes: our init and the shell. */
  async processMemory(id: string): Promise<{ init: number; shell: number }> {
    const { State } = await this.#inspect(id);
    return {
      init: pss(State.Pid),
      shell: childrenOf(State.Pid).reduce((sum, pid) => sum + pss(pid), 0),
    };
  }

  /** Milliseconds for which the event loop was held up since the last time: the longest, and the 99th percentile. */
  async loopDelay(): Promise<{ longest: number; p99: number }> {
    rmSync(this.#delayFile, { force: true });
    process.kill(this.pid, 'SIGUSR2');
    while (!existsSync(this.#delayFile)) await sleep(5);
    await sleep(20);
    return JSON.parse(readFileSync(this.#delayFile, 'utf8'));
  }

  async #inspect(id: string) {
    return JSON.parse(await this.#client.request('GET', `/v1.41/containers/${id}/json`));
  }
}

function connectionError(host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const DISCARD = 9;
    const socket = connect({ host, port: DISCARD });
    socket.setTimeout(5000, () => socket.destroy(new Error('timeout')));
    socket.once('connect', () => socket.destroy(new Error('open')));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}
