import { createHash } from 'node:crypto';

/** A network as containers join it; as it stands on disk. */
export interface Network {
  /** 64 hex digits. */
  id: string;
  name: string;
  /** ISO 8601. */
  created: string;
  /** `platform`: made through the socket with the policy, and seen there. Those that are always there are seen by all. */
  origin: 'root' | 'platform' | 'everybody';
  driver: 'bridge' | 'null';
  /** Its members do not reach the world by it. */
  internal: boolean;
  labels: Record<string, string>;
  /** Said by the client, repeated to it, and without effect here. */
  options: Record<string, string>;
  ipam: Ipam;
  attachable: boolean;
}

/** `IPAM` of the Engine API. */
export interface Ipam {
  Driver: string;
  Options: Record<string, string>;
  Config: Record<string, unknown>[];
}

/** The networks that are always there: `bridge` leads to the world and to no other container, `none` to nothing. */
export function builtInNetworks(subnet: string): { bridge: Network; none: Network } {
  const common = {
    created: '1970-01-01T00:00:00.000Z',
    origin: 'everybody' as const,
    internal: false,
    labels: {},
    options: {},
    attachable: false,
  };
  const config = [{ Subnet: subnet }];
  return {
    bridge: {
      ...common,
      id: idOf('bridge'),
      name: 'bridge',
      driver: 'bridge',
      ipam: { Driver: 'default', Options: {}, Config: config },
    },
    none: {
      ...common,
      id: idOf('none'),
      name: 'none',
      driver: 'null',
      ipam: { Driver: 'default', Options: {}, Config: [] },
    },
  };
}

function idOf(name: string): string {
  return createHash('sha256').update(`network ${name}`).digest('hex');
}
