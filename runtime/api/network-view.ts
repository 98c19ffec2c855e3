import type { Container } from '../containers/container.ts';
import type { ContainerConfig } from '../containers/container-config.ts';
import type { ContainerNetworks } from '../containers/container-networks.ts';
import { isAlive } from '../containers/state.ts';
import { GATEWAY } from '../network/container-network.ts';
import type { Network } from '../network/network.ts';
import type { PublishedPort } from '../network/traffic.ts';

/** `NetworkSettings` of a container, as `GET /containers/{id}/json` gives it. */
export function networkSettings(container: Container, networks: ContainerNetworks) {
  const address = addressOf(container);
  return {
    Bridge: '',
    SandboxID: address ? container.id : '',
    SandboxKey: '',
    IPAddress: address,
    IPPrefixLen: address ? PREFIX : 0,
    Gateway: address ? GATEWAY : '',
    Ports: portMap(container),
    Networks: endpointViews(container, networks),
  };
}

/** The container's endpoints, by the networks' names: the same address in each. */
export function endpointViews(container: Container, networks: ContainerNetworks): Record<string, object> {
  const address = addressOf(container);
  return Object.fromEntries(
    networks.of(container.config).map(([network, endpoint]) => {
      const names = networks.namesIn(container.config, endpoint);
      const view = {
        IPAMConfig: null,
        Links: endpoint.links.length > 0 ? endpoint.links : null,
        // docker-compose looks for the short id here, to see whether the endpoint is complete: as Docker, from the start on.
        Aliases: isOwn(network, networks) ? (address ? names.slice(1) : endpoint.aliases) : null,
        DriverOpts: null,
        NetworkID: network.id,
        EndpointID: address ? endpointId(container.config, network) : '',
        Gateway: address ? GATEWAY : '',
        IPAddress: address,
        IPPrefixLen: address ? PREFIX : 0,
        IPv6Gateway: '',
        GlobalIPv6Address: '',
        GlobalIPv6PrefixLen: 0,
        MacAddress: '',
        DNSNames: isOwn(network, networks) ? names : null,
      };
      return [network.name, view];
    }),
  );
}

/** One item of the answer to `GET /networks`. */
export function networkView(network: Network): object {
  return {
    Name: network.name,
    Id: network.id,
    Created: network.created,
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: network.ipam,
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: {},
    Options: network.options,
    Labels: network.labels,
  };
}

/** The answer to `GET /networks/{id}`: with the running containers, as far as the client may see them. */
export function networkInspectView(network: Network, members: Container[]): object {
  const running = members.filter((container) => container.running);
  return {
    ...networkView(network),
    Containers: Object.fromEntries(
      running.map((container) => [
        container.id,
        {
          Name: container.config.name,
          EndpointID: endpointId(container.config, network),
          MacAddress: '',
          IPv4Address: addressOf(container) && `${addressOf(container)}/${PREFIX}`,
          IPv6Address: '',
        },
      ]),
    ),
  };
}

/** `Ports` of `GET /containers/json`. */
export function portList(container: Container): object[] {
  const published = publishedPorts(container);
  const inside = exposedPorts(container)
    .map(splitPort)
    .filter(([port, type]) => !published.some((other) => other.port === port && other.protocol === type));
  return [
    ...inside.map(([port, type]) => ({ PrivatePort: port, Type: type })),
    ...published.map(({ hostAddress, hostPort, port, protocol }) => ({
      IP: hostAddress,
      PrivatePort: port,
      PublicPort: hostPort,
      Type: protocol,
    })),
  ];
}

/** `NetworkSettings.Ports` of a running container: null for a port that nothing leads to. */
function portMap(container: Container): Record<string, object[] | null> {
  if (!addressOf(container)) return {};
  const inside = exposedPorts(container).map((port) => [port, null]);
  const published = Map.groupBy(publishedPorts(container), ({ port, protocol }) => `${port}/${protocol}`);
  const outside = [...published].map(([port, list]) => [
    port,
    list.map(({ hostAddress, hostPort }) => ({ HostIp: hostAddress, HostPort: String(hostPort) })),
  ]);
  return Object.fromEntries([...inside, ...outside]);
}

/** The ports of the host that lead to it now. */
export function publishedPorts({ state }: Container): PublishedPort[] {
  return ('process' in state && state.process.ports) || [];
}

/** An image may say what it likes; clients cannot read a list with a number in it that is no port. */
function exposedPorts({ config }: Container): string[] {
  return Object.keys(config.process.ExposedPorts).filter((text) => {
    const port = Number(/^(\d{1,5})(\/[a-z]+)?$/.exec(text)?.[1]);
    return port >= 1 && port <= 0xffff;
  });
}

function splitPort(text: string): [number, string] {
  const [port, protocol = 'tcp'] = text.split('/');
  return [Number(port), protocol];
}

const PREFIX = 32;

function addressOf({ state }: Container): string {
  return (isAlive(state) && state.process.address) || '';
}

function isOwn(network: Network, { catalog }: ContainerNetworks): boolean {
  return network !== catalog.bridge && network !== catalog.none;
}

/** Nobody but clients asks for it: half the container's id, half the network's. */
function endpointId(config: ContainerConfig, network: Network): string {
  return config.id.slice(0, 32) + network.id.slice(0, 32);
}
