import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Activity } from './activity.ts';
import { isListening } from './listening-ports.ts';
import { PaasError } from './model/paas-error.ts';
import { mappingText, type PortMapping } from './model/port-mapping.ts';
import { unknownType } from './model/unknown-type.ts';
import type { Ports, PortView } from './platform/addresses.ts';
import type { ReleaseManager } from './release-manager.ts';
import type { AppStore } from './store/app-store.ts';
import type { PortStore } from './store/port-store.ts';

export interface AppPortsOptions {
  store: AppStore;
  ports: PortStore;
  releases: Pick<ReleaseManager, 'current' | 'quantities'>;
  activity: Activity;
  /** The platform's own, by what they are for, e.g. `SSH`. */
  reserved: () => Record<string, number>;
  /** Where the router listens. */
  routerHost: string;
  problem: (mapping: PortMapping) => string | undefined;
  /** Starts web dynos that idle. */
  wake: (app: string, why: string) => Promise<void>;
  /** Resolves when router and runtime know all ports. */
  publishRoutes: () => Promise<void>;
}

/** Ports of the machine that lead to dynos, beside the router's. */
export class AppPorts implements Ports {
  #options: AppPortsOptions;

  constructor(options: AppPortsOptions) {
    this.#options = options;
  }

  list(app: string): PortView[] {
    this.#options.store.find(app);
    return this.#options.ports.of(app).map(({ protocol, port, type, target }) => {
      const mapping = { protocol, port, type, target };
      return { ...mapping, problem: this.#options.problem(mapping) };
    });
  }

  async add(app: string, mapping: PortMapping, user: string): Promise<void> {
    const { ports, activity } = this.#options;
    this.#refuseUnknownType(app, mapping);
    this.#refuseTaken(app, mapping);
    ports.add({ ...mapping, app });
    await this.#options.publishRoutes();
    const problem = await this.#problemOf(mapping);
    if (problem !== undefined) {
      ports.remove(mapping);
      await this.#options.publishRoutes();
      throw new PaasError('conflict', `The port ${mapping.port} cannot be had: ${problem}`);
    }
    activity.note({ app, user, action: 'ports:add', text: `Port ${mappingText(mapping)} added` });
    if (mapping.type === 'web' && mapping.protocol !== 'http')
      await this.#options.wake(app, `${mapping.protocol}:${mapping.port} leads to the web dynos`);
  }

  async remove(
    app: string,
    { protocol, port }: Pick<PortMapping, 'protocol' | 'port'>,
    user: string,
  ): Promise<void> {
    const { store, ports, activity } = this.#options;
    store.find(app);
    const found = ports.find({ protocol, port });
    if (found?.app !== app || found.protocol !== protocol) {
      throw new PaasError(
        'not_found',
        `${app} has no port ${protocol}:${port}. \`paas ports -a ${app}\` lists them.`,
      );
    }
    ports.remove(found);
    activity.note({ app, user, action: 'ports:remove', text: `Port ${mappingText(found)} removed` });
    await this.#options.publishRoutes();
  }

  /** Before its first release an app may have any. */
  #refuseUnknownType(app: string, { type }: PortMapping): void {
    this.#options.store.find(app);
    const release = this.#options.releases.current(app);
    if (!release) return;
    // Not the release command, which is no dyno's.
    const known = Object.keys(this.#options.releases.quantities(release));
    if (!known.includes(type)) throw unknownType(type, known);
  }

  #refuseTaken(app: string, mapping: PortMapping): void {
    const { ports, reserved } = this.#options;
    const { protocol, port } = mapping;
    const owner = ports.find(mapping);
    if (owner) {
      const whose = owner.app === app ? `${app} has` : 'Another app has';
      throw new PaasError(
        'conflict',
        `${whose} the port ${port} already${owner.app === app ? ` (${mappingText(owner)})` : ''}.`,
      );
    }
    const [what] = Object.entries(reserved()).find(([, own]) => own === port) ?? [];
    if (what !== undefined && protocol !== 'udp') {
      throw new PaasError('conflict', `The port ${port} is the platform's own (${what}).`);
    }
    // Two programs that both allow it would share the port; the runtime does not allow it for tcp and udp.
    if (protocol === 'http' && isListening(port)) {
      throw new PaasError('conflict', `A program of this machine listens on port ${port} already.`);
    }
  }

  async #problemOf(mapping: PortMapping): Promise<string | undefined> {
    if (mapping.protocol !== 'http') return this.#options.problem(mapping);
    const host = this.#options.routerHost === '0.0.0.0' ? '127.0.0.1' : this.#options.routerHost;
    for (const end = Date.now() + LISTEN_MS; Date.now() < end; await sleep(50)) {
      if (await answers(host, mapping.port)) return undefined;
    }
    return 'the router could not listen there.';
  }
}

/** Longest wait for the router to listen on a new port. */
const LISTEN_MS = 3000;

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    for (const [event, answer] of [
      ['connect', true],
      ['error', false],
      ['timeout', false],
    ] as const) {
      socket.once(event, () => {
        socket.destroy();
        resolve(answer);
      });
    }
  });
}
