import { EngineError } from '../engine-error.ts';
import { writeControl } from '../syscall/files.ts';
import type { Firewall } from './firewall.ts';
import type { ForwardRule } from './firewall-forwards.ts';
import { forgetDatagramFlows } from './flows.ts';
import type { HostPorts } from './host-ports.ts';
import type { Protocol } from './traffic.ts';

/** A port of the host that leads to ports of containers, to each in turn. */
export interface Forward {
  protocol: Protocol;
  hostPort: number;
  /** Those that do not run are left out. */
  targets: { container: string; port: number }[];
}

/** One that another program, or container, has the host's port of. */
export interface RefusedForward {
  protocol: Protocol;
  hostPort: number;
  reason: string;
}

export interface PortForwardsOptions {
  ports: HostPorts;
  firewall: Firewall;
  /** Of a container that runs. */
  addressOf: (container: string) => string | undefined;
  /** The name of the host's end of its network. */
  interfaceOf: (address: string) => string;
}

/** The host's ports that lead to containers as they come and go. A port without containers is held, and closes whoever comes. */
export class PortForwards {
  readonly #options: PortForwardsOptions;
  #wanted: Forward[] = [];
  readonly #held = new Set<string>();
  #rules: ForwardRule[] = [];
  #working: Promise<unknown> = Promise.resolve();

  constructor(options: PortForwardsOptions) {
    this.#options = options;
  }

  /** In the place of the last ones. Resolves when they are in effect, with those that cannot be. */
  set(forwards: Forward[]): Promise<RefusedForward[]> {
    return this.#inTurn(async () => {
      const wanted = new Set(forwards.map(ownerOf));
      for (const owner of this.#held) if (!wanted.has(owner)) this.#free(owner);
      const refused: RefusedForward[] = [];
      for (const forward of forwards) {
        const reason = await this.#hold(forward);
        if (reason !== undefined) refused.push({ ...portOf(forward), reason });
      }
      this.#wanted = forwards.filter((forward) => this.#held.has(ownerOf(forward)));
      await this.#apply();
      return refused;
    });
  }

  /** A container is no more: nothing leads to it when this resolves. */
  async forget(container: string): Promise<void> {
    if (!this.#wanted.some(({ targets }) => targets.some((target) => target.container === container))) return;
    await this.#inTurn(() => this.#apply());
  }

  close(): void {
    for (const owner of this.#held) this.#free(owner);
  }

  async #apply(): Promise<void> {
    const { firewall } = this.#options;
    const before = this.#rules;
    this.#rules = this.#wanted.flatMap((forward) => this.#ruleOf(forward));
    this.#openLoopback(this.#rules);
    await firewall.forward(this.#rules);
    for (const rule of this.#wanted.filter(({ protocol }) => protocol === 'udp')) {
      const [was, is] = [before, this.#rules].map((rules) =>
        rules.find((one) => ownerOf(one) === ownerOf(rule)),
      );
      // Flows to a container that is still there stay with it.
      if (
        !was ||
        was.targets.some(({ address }) => !is?.targets.some((target) => target.address === address))
      )
        await forgetDatagramFlows(rule.hostPort);
    }
  }

  #ruleOf({ protocol, hostPort, targets }: Forward): ForwardRule[] {
    const there = targets.flatMap(({ container, port }) => {
      const address = this.#options.addressOf(container);
      return address === undefined ? [] : [{ address, port }];
    });
    return there.length === 0 ? [] : [{ protocol, hostPort, targets: there }];
  }

  /** What the host sends to 127.0.0.1 leaves by the container's interface then: see TrafficControl. */
  #openLoopback(rules: ForwardRule[]): void {
    for (const { address } of rules.flatMap(({ targets }) => targets))
      writeControl(`/proc/sys/net/ipv4/conf/${this.#options.interfaceOf(address)}/route_localnet`, '1');
  }

  /** Returns why it cannot be had. */
  async #hold(forward: Forward): Promise<string | undefined> {
    const owner = ownerOf(forward);
    if (this.#held.has(owner)) return undefined;
    const { protocol, hostPort } = forward;
    try {
      const request = { protocol, port: hostPort, hostAddress: '0.0.0.0' };
      await this.#options.ports.take(owner, [{ ...request, hostPorts: [hostPort, hostPort] }]);
      this.#held.add(owner);
      return undefined;
    } catch (error) {
      if (error instanceof EngineError) return error.message;
      throw error;
    }
  }

  #free(owner: string): void {
    this.#options.ports.free(owner);
    this.#held.delete(owner);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#working.then(work, work);
    this.#working = mine.catch(() => {});
    return mine;
  }
}

function portOf({ protocol, hostPort }: Forward): { protocol: Protocol; hostPort: number } {
  return { protocol, hostPort };
}

function ownerOf({ protocol, hostPort }: Pick<Forward, 'protocol' | 'hostPort'>): string {
  return `forward ${protocol} ${hostPort}`;
}
