import type { NameDirectory } from '../name-directory.ts';
import type { Subnet } from '../subnet.ts';
import type { Traffic } from '../traffic.ts';
import { RCODE } from './dns-message.ts';
import { forward } from './forwarder.ts';
import { localAnswer, refusal } from './local-answer.ts';
import type { Resolve } from './name-server.ts';

export interface ResolverOptions {
  names: NameDirectory;
  subnet: Subnet;
  /** The container that has this address. */
  trafficOf: (address: string) => Traffic | undefined;
  /** Addresses of the host's name servers, as of now. */
  hostServers: () => string[];
  /** At which the servers listen; 53. */
  port?: number;
}

/** Answers what we know ourselves, and asks the container's own servers, else the host's, for the rest. */
export function resolver(options: ResolverOptions): Resolve {
  const { names, subnet, trafficOf, hostServers, port = 53 } = options;
  return async (query, asker, transport) => {
    const traffic = trafficOf(asker);
    if (!traffic) return undefined;
    const known = localAnswer(query, { asker, names, subnet });
    if (known) return known;
    if (!traffic.egress) return refusal(query, RCODE.REFUSED);
    const { servers } = traffic.dns;
    const asked = servers.length > 0 ? servers : hostServers();
    const answer = await forward(query, { servers: asked, transport, port });
    return answer ?? refusal(query, RCODE.SERVER_FAILURE);
  };
}
