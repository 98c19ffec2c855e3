import type Docker from 'dockerode';
import type { Random } from '../fixtures/random.ts';
import { BASE } from './engine-process.ts';

/** What a client knows of one container: what was asked for, and what was acknowledged. */
export interface Entry {
  name: string;
  id: string | undefined;
  /** The last thing asked for is under way: nobody knows whether it has been done. */
  asked: 'nothing' | 'create' | 'start' | 'stop' | 'remove';
  state: 'unknown' | 'created' | 'running' | 'stopped' | 'removed';
}

/** Files of a commit, so that half of a layer would be seen. */
const FILES = 40;

/** Does random things to containers, and keeps a record of what the runtime has acknowledged. */
export class KillLedger {
  readonly entries: Entry[] = [];
  /** Names of images whose commit was acknowledged. */
  readonly images: string[] = [];
  readonly #docker: Docker;
  readonly #random: Random;
  #count = 0;

  constructor(docker: Docker, random: Random) {
    this.#docker = docker;
    this.#random = random;
  }

  /** Lives of containers one after another, until the runtime does not answer any more. */
  async lane(): Promise<void> {
    try {
      for (;;) await this.#life();
    } catch (error) {
      // Refusals are no answers that we expect; lost connections are.
      if ((error as { statusCode?: number }).statusCode !== undefined) throw error;
    }
  }

  async #life(): Promise<void> {
    const random = this.#random;
    const entry: Entry = { name: `life-${++this.#count}`, id: undefined, asked: 'create', state: 'unknown' };
    this.entries.push(entry);
    const isStep = random.chance(0.3);
    const container = await this.#docker.createContainer({
      name: entry.name,
      Image: BASE,
      ...this.#config(isStep),
    });
    Object.assign(entry, { id: container.id, asked: 'start', state: 'created' });
    if (random.chance(0.1)) return void Object.assign(entry, { asked: 'nothing' });
    await container.start();
    if (isStep) return this.#commit(entry, container);
    Object.assign(entry, { asked: 'nothing', state: 'running' });
    if (random.chance(0.3)) await this.#exec(container);
    if (random.chance(0.3)) return;
    entry.asked = 'stop';
    await container.stop({ t: random.pick([0, 1]) });
    Object.assign(entry, { asked: 'nothing', state: 'stopped' });
    if (random.chance(0.3)) return;
    await this.#remove(entry, container);
  }

  #config(isStep: boolean): object {
    const random = this.#random;
    const files = `for i in $(seq ${FILES}); do echo $i > /opt/$i; done`;
    if (isStep) return { User: 'root', Cmd: ['sh', '-c', files] };
    return {
      Cmd: ['sh', '-c', 'trap "exit 0" TERM; while :; do echo line; sleep 0.05; done'],
      ...(random.chance(0.3) && { Labels: { 'paas.volatile': '1' } }),
      HostConfig: {
        NetworkMode: random.pick(['bridge', 'none']),
        ...(random.chance(0.2) && { StorageOpt: { size: '32M' } }),
      },
    };
  }

  async #commit(entry: Entry, container: Docker.Container): Promise<void> {
    Object.assign(entry, { asked: 'stop', state: 'running' });
    await container.wait();
    Object.assign(entry, { asked: 'nothing', state: 'stopped' });
    await container.commit({ repo: 'test/step', tag: entry.name });
    this.images.push(`test/step:${entry.name}`);
    await this.#remove(entry, container);
  }

  async #exec(container: Docker.Container): Promise<void> {
    const exec = await container.exec({ Cmd: ['sh', '-c', 'sleep 0.02'] });
    await exec.start({ Detach: true });
  }

  async #remove(entry: Entry, container: Docker.Container): Promise<void> {
    entry.asked = 'remove';
    await container.remove({ force: this.#random.chance(0.5) });
    Object.assign(entry, { asked: 'nothing', state: 'removed' });
  }

  /** What a runtime says otherwise than the one before it had acknowledged. */
  async disagreements(): Promise<string[]> {
    const listed = new Map((await this.#docker.listContainers({ all: true })).map((info) => [info.Id, info]));
    const found: string[] = [];
    for (const { name, id, asked, state } of this.entries) {
      const info = id === undefined ? undefined : listed.get(id);
      if (state === 'unknown') continue;
      if (state === 'removed' && info) found.push(`${name} was removed, and is there`);
      if (state === 'removed' || asked === 'remove') continue;
      if (!info) found.push(`${name} was ${state}, and is lost`);
      else if (asked !== 'nothing') continue;
      else if (state === 'running' && info.State !== 'running')
        found.push(`${name} ran, and is ${info.State}`);
      else if (state !== 'running' && info.State === 'running') found.push(`${name} was ${state}, and runs`);
    }
    const tags = (await this.#docker.listImages()).flatMap((image) => image.RepoTags ?? []);
    const lost = this.images.filter((image) => !tags.includes(image));
    return [...found, ...lost.map((image) => `the image ${image} is lost`)];
  }

  /** Images that do not hold all that was committed: half-written layers. */
  async halfImages(): Promise<string[]> {
    const tags = (await this.#docker.listImages()).flatMap((image) => image.RepoTags ?? []);
    const half: string[] = [];
    for (const tag of tags.filter((name) => name.startsWith('test/step:'))) {
      const container = await this.#docker.createContainer({
        Image: tag,
        Cmd: ['sh', '-c', `cd /opt && test "$(seq ${FILES})" = "$(seq ${FILES} | xargs cat)"`],
      });
      await container.start();
      const { StatusCode } = await container.wait();
      if (StatusCode !== 0) half.push(tag);
      await container.remove();
      await this.#docker.getImage(tag).remove();
    }
    this.images.length = 0;
    return half;
  }

  /** Takes the containers of past rounds away. */
  async clear(): Promise<void> {
    const listed = await this.#docker.listContainers({ all: true });
    await Promise.all(listed.map(({ Id }) => this.#docker.getContainer(Id).remove({ force: true })));
    this.entries.length = 0;
  }
}
