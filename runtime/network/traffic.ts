/**
 * What of a container's traffic is its own choice, beside the way to the world that all have: whom it meets, under which
 * names, and which ports of the host lead to it.
 */
export interface Traffic {
  /** User-defined networks: two containers reach each other exactly if they share one. */
  networks: Membership[];
  /** Whether it reaches the world: not when all of its networks are internal. */
  egress: boolean;
  ports: PublishedPort[];
  dns: DnsOptions;
}

/** The same before its start, when the host's ports are not chosen yet. */
export type TrafficRequest = Omit<Traffic, 'ports'> & { publish: PortRequest[] };

/** A container's place in a network. */
export interface Membership {
  /** The network's id, 64 hex digits. */
  network: string;
  /** What the others in the network call it; the first is its own name. */
  names: string[];
  /** Names that only this container uses, and what they stand for. */
  links: Record<string, string>;
}

export type Protocol = 'tcp' | 'udp';

/** A port of a container, and where on the host it is to be had. */
export interface PortRequest {
  protocol: Protocol;
  /** In the container. */
  port: number;
  /** IPv4; `0.0.0.0`: all of the host. */
  hostAddress: string;
  /** The first one that is free; `[0, 0]`: the system chooses. */
  hostPorts: [from: number, to: number];
}

/** A port request with the host's port that it got. */
export interface PublishedPort {
  protocol: Protocol;
  port: number;
  hostAddress: string;
  hostPort: number;
}

/** How a container's names are looked up; empty: as the host does. */
export interface DnsOptions {
  /** IP addresses of name servers that the host asks for it. */
  servers: string[];
  search: string[];
  /** Of resolv.conf(5). */
  options: string[];
}

/** Of a container that chose nothing. */
export const ORDINARY_TRAFFIC: TrafficRequest = {
  networks: [],
  egress: true,
  publish: [],
  dns: { servers: [], search: [], options: [] },
};
