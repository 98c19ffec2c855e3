import { Firewall } from './firewall.ts';
import { NameDirectory } from './name-directory.ts';
import type { PublishedPort, Traffic, TrafficRequest } from './traffic.ts';

/** Sees to it that each container's traffic goes where it may, from before its process starts until its address is free again. */
export class TrafficControl {
  readonly #firewall: Firewall;
  readonly #names = new NameDirectory();
  readonly #known = new Map<string, { address: string; traffic: Traffic }>();

  /** Gets the host ready; what an earlier runtime let containers do stays until `replace`. */
  static async open(options: { tag: string; subnet: string }): Promise<TrafficControl> {
    const firewall = new Firewall({ ...options, dnsPort: 20_053, publicAddress: undefined });
    await firewall.open();
    return new TrafficControl(firewall);
  }

  private constructor(firewall: Firewall) {
    this.#firewall = firewall;
  }

  /** Lets a container in before it starts; returns the ports of the host that lead to it. */
  async admit(id: string, address: string, request: TrafficRequest): Promise<PublishedPort[]> {
    const ports: PublishedPort[] = [];
    const traffic = this.#keep(id, address, { ...request, ports });
    if (!isOrdinary(traffic)) await this.#firewall.set(address, traffic);
    return ports;
  }

  /** A container that an earlier runtime let in; made known by `replace`. */
  adopt(id: string, address: string, traffic: Traffic): void {
    this.#firewall.note(address, this.#keep(id, address, traffic));
  }

  /** Gives a running container other networks. */
  async change(id: string, change: Pick<Traffic, 'networks' | 'egress'>): Promise<void> {
    const known = this.#known.get(id);
    if (!known) return;
    known.traffic = { ...known.traffic, ...change };
    this.#names.set(known.address, known.traffic.networks);
    await this.#firewall.set(known.address, known.traffic);
  }

  /** Resolves when nothing leads to the container's address any more. */
  async dismiss(id: string): Promise<void> {
    const known = this.#known.get(id);
    if (!known) return;
    this.#known.delete(id);
    this.#names.delete(known.address);
    if (!isOrdinary(known.traffic)) await this.#firewall.set(known.address, undefined);
  }

  /** Lets exactly those in that are known. */
  replace(): Promise<void> {
    return this.#firewall.replace();
  }

  #keep(id: string, address: string, traffic: Traffic): Traffic {
    this.#known.set(id, { address, traffic });
    this.#names.set(address, traffic.networks);
    return traffic;
  }
}

/** Nothing of it stands in the firewall. */
function isOrdinary({ networks, egress, ports }: Traffic): boolean {
  return networks.length === 0 && egress && ports.length === 0;
}
