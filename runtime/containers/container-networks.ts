import { EngineError } from '../engine-error.ts';
import type { Network } from '../network/network.ts';
import type { NetworkCatalog } from '../network/network-catalog.ts';
import type { Membership, TrafficRequest } from '../network/traffic.ts';
import type { Container } from './container.ts';
import type { Access, ContainerConfig, Endpoint } from './container-config.ts';
import type { ContainerIndex } from './container-index.ts';
import type { ContainerStore } from './container-store.ts';
import type { EventLog } from './events.ts';
import type { Kernel } from './kernel.ts';
import { portRequests } from './request/ports-request.ts';

export interface ContainerNetworksOptions {
  catalog: NetworkCatalog;
  containers: ContainerIndex;
  store: ContainerStore;
  kernel: Kernel;
  events: EventLog;
}

/** Which container is in which networks, and what that means for its traffic. */
export class ContainerNetworks {
  readonly catalog: NetworkCatalog;
  readonly #options: ContainerNetworksOptions;

  constructor(options: ContainerNetworksOptions) {
    this.catalog = options.catalog;
    this.#options = options;
  }

  /** The networks that a new container asks for, by their ids. Throws `invalid`, `forbidden`. */
  endpointsFor(
    mode: string,
    options: { asked: ReadonlyMap<string, Endpoint>; access: Access },
  ): Record<string, Endpoint> {
    const main = this.#find(mode, options.access);
    const endpoints: Record<string, Endpoint> = { [main.id]: NO_NAMES };
    for (const [name, endpoint] of options.asked) {
      const network = this.#find(name, options.access);
      endpoints[network.id] = endpoint;
      this.#requireJoinable(network, { endpoint, others: Object.keys(endpoints) });
    }
    return endpoints;
  }

  /** The networks of a container with their endpoints; those that are gone are left out. */
  of(config: ContainerConfig): [Network, Endpoint][] {
    return Object.entries(this.#endpoints(config)).flatMap(([id, endpoint]): [Network, Endpoint][] => {
      const network = this.catalog.get(id);
      return network ? [[network, endpoint]] : [];
    });
  }

  /** What others in a network call a container; its own name first. */
  namesIn(config: ContainerConfig, endpoint: Endpoint): string[] {
    const { Hostname } = config.process;
    const names = [config.name, ...endpoint.aliases, config.id.slice(0, 12), ...(Hostname ? [Hostname] : [])];
    return [...new Set(names)];
  }

  /** What a container may do besides what all may. */
  trafficOf(config: ContainerConfig): TrafficRequest {
    const networks = this.of(config);
    const egress = networks.some(([{ internal }]) => !internal);
    const { Dns, DnsSearch, DnsOptions } = config.host;
    return {
      egress,
      // Nothing could come back.
      publish: egress ? portRequests(config.host, Object.keys(config.process.ExposedPorts)) : [],
      dns: { servers: Dns, search: DnsSearch, options: DnsOptions },
      networks: networks
        .filter(([network]) => network !== this.catalog.bridge && network !== this.catalog.none)
        .map(([network, endpoint]) => this.#membership(config, network, endpoint)),
    };
  }

  /** Throws `not_found` if a network of the container is gone. */
  requireNetworks(config: ContainerConfig): void {
    const missing = Object.keys(this.#endpoints(config)).find((id) => !this.catalog.get(id));
    if (missing) throw new EngineError('not_found', `network ${missing} not found`);
  }

  /** The containers in a network, running or not. */
  members(network: Network): Container[] {
    return this.#options.containers
      .all()
      .filter((container) => Object.hasOwn(this.#endpoints(container.config), network.id));
  }

  /** Throws `forbidden` if it is there already or cannot be, `conflict` while something else happens to the container. */
  connect(container: Container, network: Network, endpoint: Endpoint): Promise<void> {
    return this.#change(container, { network, action: 'connect' }, (endpoints) => {
      if (Object.hasOwn(endpoints, network.id)) {
        const name = container.config.name;
        throw new EngineError(
          'forbidden',
          `endpoint with name ${name} already exists in network ${network.name}`,
        );
      }
      const wanted = { ...endpoints, [network.id]: endpoint };
      this.#requireJoinable(network, { endpoint, others: Object.keys(wanted) });
      return wanted;
    });
  }

  /** Throws `forbidden` if it is not there. */
  disconnect(container: Container, network: Network): Promise<void> {
    return this.#change(container, { network, action: 'disconnect' }, (endpoints) => {
      if (network === this.catalog.none) {
        throw new EngineError('forbidden', 'a container in private (none) mode stays there');
      }
      if (!Object.hasOwn(endpoints, network.id)) {
        throw new EngineError(
          'forbidden',
          `container ${container.id} is not connected to network ${network.name}`,
        );
      }
      return Object.fromEntries(Object.entries(endpoints).filter(([id]) => id !== network.id));
    });
  }

  /** Makes known what a running container is called now. */
  async refresh(container: Container): Promise<void> {
    if (container.running) {
      await this.#options.kernel.changeTraffic(container.id, this.trafficOf(container.config));
    }
  }

  /** Throws `forbidden` while a running container is in it. */
  remove(network: Network): void {
    const active = this.members(network).find((container) => container.running);
    if (active && network.origin !== 'everybody') {
      throw new EngineError(
        'forbidden',
        `error while removing network: network ${network.name} has active endpoints (name:"${active.config.name}" id:"${active.id.slice(0, 12)}")`,
      );
    }
    this.catalog.remove(network);
    this.publish(network, 'destroy');
  }

  publish(network: Network, action: string, attributes: Record<string, string> = {}): void {
    this.#options.events.publish({
      Type: 'network',
      Action: action,
      id: network.id,
      origin: network.origin === 'platform' ? 'platform' : 'root',
      attributes: { name: network.name, type: network.driver, ...attributes },
    });
  }

  async #change(
    container: Container,
    what: { network: Network; action: 'connect' | 'disconnect' },
    change: (endpoints: Record<string, Endpoint>) => Record<string, Endpoint>,
  ): Promise<void> {
    const doing = what.action === 'connect' ? 'joining a network' : 'leaving a network';
    await container.exclusively(doing, async () => {
      const endpoints = change(this.#endpoints(container.config));
      container.config = { ...container.config, endpoints };
      this.#options.store.saveConfig(container.config);
      await this.refresh(container);
    });
    this.publish(what.network, what.action, { container: container.id });
  }

  /** Not `not_found`: of a new container that would mean that there is no such image. */
  #find(name: string, access: Access): Network {
    if (name === 'default') return this.catalog.bridge;
    try {
      return this.catalog.find(name, access);
    } catch (error) {
      throw new EngineError('invalid', (error as Error).message);
    }
  }

  /** Throws `forbidden`, `invalid`. */
  #requireJoinable(network: Network, { endpoint, others }: { endpoint: Endpoint; others: string[] }): void {
    const isOwn = network !== this.catalog.bridge && network !== this.catalog.none;
    if (others.length > 1 && others.includes(this.catalog.none.id)) {
      throw new EngineError(
        'forbidden',
        'container cannot be connected to multiple networks with one of the networks in private (none) mode',
      );
    }
    if (!isOwn && endpoint.aliases.length > 0) {
      throw new EngineError('invalid', 'network-scoped aliases are only supported for user-defined networks');
    }
  }

  /** A container made before there were networks is in the one that its mode says. */
  #endpoints(config: ContainerConfig): Record<string, Endpoint> {
    const { bridge, none } = this.catalog;
    return config.endpoints ?? { [config.host.NetworkMode === 'none' ? none.id : bridge.id]: NO_NAMES };
  }

  #membership(config: ContainerConfig, network: Network, endpoint: Endpoint): Membership {
    const names = this.namesIn(config, endpoint);
    return {
      network: network.id,
      names: [...names, ...names.map((name) => `${name}.${network.name}`)],
      links: Object.fromEntries(endpoint.links.map(parseLink)),
    };
  }
}

/** `CONTAINER:ALIAS` → what is asked for, and what is meant. */
function parseLink(text: string): [string, string] {
  const [container = '', alias = container] = text.split(':');
  return [alias.toLowerCase(), container];
}

const NO_NAMES: Endpoint = { aliases: [], links: [] };
