import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine, PortForward } from '../engine.ts';
import type { PortMapping } from '../model/port-mapping.ts';
import type { PortStore } from '../store/port-store.ts';
import type { Dyno } from './dyno.ts';

export interface PortPublisherOptions {
  ports: PortStore;
  engine: Pick<Engine, 'forwardPorts'>;
  dynosOf: (app: string) => Dyno[];
  log: (text: string) => void;
}

/** Keeps the machine's TCP and UDP ports leading to the dynos as they are; calls that come while one is under way share the next. */
export class PortPublisher {
  #options: PortPublisherOptions;
  #current: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  /** What was sent last and taken whole. */
  #sent: string | undefined;
  #problems = new Map<string, string>();

  constructor(options: PortPublisherOptions) {
    this.#options = options;
  }

  /** Why a port does not lead anywhere: somebody else has it. */
  problem({ protocol, port }: Pick<PortMapping, 'protocol' | 'port'>): string | undefined {
    return this.#problems.get(`${protocol} ${port}`);
  }

  /** Resolves when the ports lead where they should; when the runtime does not answer, it is tried again behind the caller's back. */
  publish(): Promise<void> {
    if (this.#next) return this.#next;
    const turn = (this.#current ?? Promise.resolve()).then(() => {
      this.#current = turn;
      this.#next = undefined;
      return this.#send();
    });
    this.#next = turn;
    return turn;
  }

  async #send(): Promise<void> {
    const forwards = this.#forwards();
    const text = JSON.stringify(forwards);
    if (text === this.#sent) return;
    try {
      const refused = await this.#options.engine.forwardPorts(forwards);
      this.#problems = new Map(refused.map(({ protocol, port, reason }) => [`${protocol} ${port}`, reason]));
      this.#sent = refused.length === 0 ? text : undefined;
    } catch (error) {
      this.#sent = undefined;
      this.#options.log(`ports of apps: ${(error as Error).message}`);
      void sleep(RETRY_MS, undefined, { ref: false }).then(() => this.publish());
    }
  }

  #forwards(): PortForward[] {
    return this.#options.ports.all().flatMap(({ protocol, port, app, type, target }) =>
      protocol === 'http'
        ? []
        : [
            {
              protocol,
              port,
              targets: this.#containers(app, type).map((container) => ({ container, port: target })),
            },
          ],
    );
  }

  #containers(app: string, type: string): string[] {
    return this.#options
      .dynosOf(app)
      .filter((dyno) => dyno.type === type && !dyno.canary && dyno.state === 'up' && dyno.ready)
      .flatMap((dyno) => dyno.container?.id ?? []);
  }
}

const RETRY_MS = 2000;
