import { writeControl } from '../syscall/files.ts';
import { interfacePrefix } from './address-pool.ts';
import { partOfRoomTaken } from './connection-room.ts';
import { type ContainerNetwork, GATEWAY } from './container-network.ts';
import { NameServer } from './dns/name-server.ts';
import { containerResolvConf, HostResolvConf } from './dns/resolv-conf.ts';
import { resolver } from './dns/resolver.ts';
import { Firewall } from './firewall.ts';
import type { FirewallOptions } from './firewall-table.ts';
import { forgetDatagramFlows, forgetFlowsFrom, sampleSources } from './flows.ts';
import { HostPorts } from './host-ports.ts';
import { NameDirectory } from './name-directory.ts';
import { type Forward, PortForwards, type RefusedForward } from './port-forwards.ts';
import { Subnet } from './subnet.ts';
import type { DnsOptions, PublishedPort, Traffic, TrafficRequest } from './traffic.ts';

/** Parts of the room for connections. */
const MANY = 1 / 8;
const HOGS_PART = 1 / 4;
const CROWDED = 1 / 2;
/** Connections that are looked at to know whose most are. */
const SAMPLE = 16_384;

export type TrafficControlOptions = Omit<FirewallOptions, 'dnsPort'>;

/** Sees to it that each container's traffic goes where it may, from before its process starts until its address is free again. */
export class TrafficControl {
  readonly #firewall: Firewall;
  readonly #nameServer: NameServer;
  readonly #host = new HostResolvConf();
  readonly #names = new NameDirectory();
  readonly #ports = new HostPorts();
  readonly #forwards: PortForwards;
  readonly #resuming: Promise<void>[] = [];
  readonly #addresses = new Map<string, string>();
  readonly #traffic = new Map<string, Traffic>();
  /** Connections that the kernel remembers, when they were last counted. */
  #areMany = false;

  /** Gets the host ready; what an earlier runtime let containers do stays until `replace`. */
  static async open(options: TrafficControlOptions): Promise<TrafficControl> {
    const control = new TrafficControl(options);
    await control.#firewall.open();
    return control;
  }

  private constructor(options: TrafficControlOptions) {
    this.#nameServer = new NameServer({
      address: GATEWAY,
      ports: nameServerPorts(options.tag),
      resolve: resolver({
        names: this.#names,
        subnet: new Subnet(options.subnet),
        trafficOf: (address) => this.#traffic.get(address),
        hostServers: () => this.#host.read().servers,
      }),
    });
    this.#firewall = new Firewall({ ...options, dnsPort: this.#nameServer.port });
    const subnet = new Subnet(options.subnet);
    this.#forwards = new PortForwards({
      ports: this.#ports,
      firewall: this.#firewall,
      addressOf: (id) => this.#addresses.get(id),
      interfaceOf: (address) => interfacePrefix(options.tag) + subnet.offset(address).toString(16),
    });
  }

  /** Lets a container in before it starts; returns the ports of the host that lead to it. Throws `conflict` for one that is taken. */
  async admit(
    id: string,
    { address, name }: Pick<ContainerNetwork, 'address' | 'name'>,
    request: TrafficRequest,
  ): Promise<PublishedPort[]> {
    const ports = await this.#ports.take(id, request.publish);
    if (ports.some(isOnLoopback)) writeControl(`/proc/sys/net/ipv4/conf/${name}/route_localnet`, '1');
    const traffic = { ...request, ports };
    this.#addresses.set(id, address);
    this.#keep(address, traffic);
    if (!isOrdinary(traffic)) await this.#firewall.set(address, traffic);
    for (const { protocol, hostPort } of ports) if (protocol === 'udp') await forgetDatagramFlows(hostPort);
    return ports;
  }

  /** A container that an earlier runtime let in; made known by `replace`. */
  adopt(id: string, address: string, traffic: Traffic): void {
    this.#addresses.set(id, address);
    this.#keep(address, traffic);
    this.#firewall.note(address, traffic);
    this.#resuming.push(this.#ports.resume(id, traffic.ports));
  }

  /** Gives a running container other networks. */
  async change(id: string, change: Pick<Traffic, 'networks' | 'egress'>): Promise<void> {
    const address = this.#addresses.get(id);
    if (address === undefined) return;
    const { networks, egress } = change;
    const traffic = { ...this.#traffic.get(address)!, networks, egress };
    this.#keep(address, traffic);
    await this.#firewall.set(address, traffic);
  }

  /** The host's ports that lead to containers as they come and go, in the place of the last ones; resolves with those that cannot be. */
  forward(forwards: Forward[]): Promise<RefusedForward[]> {
    return this.#forwards.set(forwards);
  }

  /** Resolves when nothing leads to the container's address any more. */
  async dismiss(id: string): Promise<void> {
    const address = this.#addresses.get(id);
    if (address === undefined) return;
    const traffic = this.#traffic.get(address)!;
    this.#addresses.delete(id);
    this.#traffic.delete(address);
    this.#names.delete(address);
    // At once: whoever waited for the container's end may want them.
    this.#ports.free(id);
    await Promise.all([
      isOrdinary(traffic) ? undefined : this.#firewall.set(address, undefined),
      this.#forwards.forget(id),
      // Nobody will end them. As long as there are few that does no harm, and to look for them takes milliseconds.
      this.#areMany ? forgetFlowsFrom(address) : undefined,
    ]);
  }

  /**
   * Containers that hold more than a quarter of all connections that the kernel has room for, where half of the room is taken: one can have its
   * connections end in a way that the kernel does not see (SO_DONTROUTE, then SO_LINGER), and that costs it nothing.
   */
  async connectionHogs(): Promise<string[]> {
    const taken = partOfRoomTaken();
    this.#areMany = taken > MANY;
    if (taken < CROWDED) return [];
    const sources = await sampleSources(SAMPLE);
    const seen = sources.values().reduce((sum, of) => sum + of, 0);
    const partOf = (address: string) => (taken * (sources.get(address) ?? 0)) / seen;
    return [...this.#addresses].filter(([, address]) => partOf(address) > HOGS_PART).map(([id]) => id);
  }

  /** Lets exactly those in that are known, and begins to answer their questions. */
  async replace(): Promise<void> {
    await Promise.all([this.#firewall.replace(), ...this.#resuming.splice(0)]);
    this.#nameServer.listen();
    this.#firewall.watch();
  }

  /** The content of a container's /etc/resolv.conf. */
  resolvConf(dns: DnsOptions): string {
    return containerResolvConf(GATEWAY, dns, this.#host.read());
  }

  /** Containers keep what they may do. */
  close(): void {
    this.#nameServer.close();
    this.#firewall.close();
    for (const id of this.#addresses.keys()) this.#ports.free(id);
    this.#forwards.close();
  }

  /** Closes, and takes the firewall away. */
  async dismantle(): Promise<void> {
    this.close();
    await this.#firewall.dismantle();
  }

  #keep(address: string, traffic: Traffic): void {
    this.#traffic.set(address, traffic);
    this.#names.set(address, traffic.networks);
  }
}

/**
 * The same after each start, since containers' questions may be on their way; another for each instance; and none that the
 * system gives to anybody by itself.
 */
function nameServerPorts(tag: string): number[] {
  const FIRST = 20_000;
  const COUNT = 10_000;
  const start = Number.parseInt(tag, 16);
  return Array.from({ length: 100 }, (_, step) => FIRST + ((start + step) % COUNT));
}

/**
 * What the host sends to 127.0.0.1 leaves by the container's interface then, which must let addresses of loopback pass. The
 * firewall drops what a container itself would send there.
 */
function isOnLoopback({ hostAddress }: PublishedPort): boolean {
  return hostAddress === '0.0.0.0' || hostAddress.startsWith('127.');
}

/** Nothing of it stands in the firewall. */
function isOrdinary({ networks, egress, ports }: Traffic): boolean {
  return networks.length === 0 && egress && ports.length === 0;
}
