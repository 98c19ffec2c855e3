import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Docker from 'dockerode';
import { RouteFile } from '../../server/router/route-file.ts';
import type { Instance } from './instance.ts';

const EVERY_MS = 10;

/** Looks all the time whether the router points to dynos that do not run, and for how long. */
export class RouteWatch {
  /** The longest time, in milliseconds, that a route led to a container that was not there, and to which. */
  worst = { milliseconds: 0, server: '' };
  looks = 0;
  readonly #docker: Docker;
  readonly #routes: RouteFile;
  readonly #since = new Map<string, number>();
  #watching = true;
  #ended: Promise<void>;

  constructor(paas: Instance) {
    const run = paas.environment.PAAS_RUN!;
    this.#docker = new Docker({ socketPath: join(run, 'docker.sock') });
    this.#routes = new RouteFile(join(run, 'control', 'routes.json'));
    this.#ended = this.#watch();
  }

  async end(): Promise<void> {
    this.#watching = false;
    await this.#ended;
  }

  async #watch(): Promise<void> {
    for (; this.#watching; await sleep(EVERY_MS)) {
      // The routes first: a dyno that stops right after it left them has done nothing wrong.
      const routed = this.#routed();
      const running = await this.#running();
      this.note(routed, running, performance.now());
    }
  }

  note(routed: string[], running: Set<string>, now: number): void {
    this.looks += 1;
    const dead = new Set(routed.filter((address) => !running.has(address)));
    for (const address of this.#since.keys()) if (!dead.has(address)) this.#since.delete(address);
    for (const address of dead) {
      const since = this.#since.get(address) ?? now;
      this.#since.set(address, since);
      if (now - since > this.worst.milliseconds) this.worst = { milliseconds: now - since, server: address };
    }
  }

  #routed(): string[] {
    const { apps } = this.#routes.load()!;
    return apps.flatMap(({ dynos }) => dynos.map(({ address }) => address));
  }

  async #running(): Promise<Set<string>> {
    const containers = await this.#docker.listContainers();
    return new Set(
      containers.flatMap((info) =>
        Object.values(info.NetworkSettings.Networks).map((network) => network.IPAddress),
      ),
    );
  }
}
