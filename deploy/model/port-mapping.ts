import { quote } from './app-name.ts';
import { PaasError } from './paas-error.ts';

/** A port of the machine that leads to a port of an app's dynos. */
export interface PortMapping {
  /** http: by the router, which knows HTTP. tcp, udp: connection by connection, unread. */
  protocol: 'http' | 'tcp' | 'udp';
  /** On the machine. */
  port: number;
  /** The process type whose dynos it leads to. */
  type: string;
  /** In the dynos. */
  target: number;
}

/** Ports of TCP and UDP are apart. */
export function transportOf({ protocol }: Pick<PortMapping, 'protocol'>): 'tcp' | 'udp' {
  return protocol === 'udp' ? 'udp' : 'tcp';
}

/** `tcp:5432:db:5432` */
export function mappingText({ protocol, port, type, target }: PortMapping): string {
  return `${protocol}:${port}:${type}:${target}`;
}

/** Reads `tcp:5432:db:5432`, or `http:8080:3000` as Dokku has it, for web dynos. Throws `invalid`. */
export function parsePortMapping(text: string): PortMapping {
  const match = /^(http|tcp|udp):(\d{1,5}):(?:([A-Za-z0-9_-]{1,63}):)?(\d{1,5})$/.exec(text);
  if (!match) throw new PaasError('invalid', mappingProblem(text));
  const mapping: PortMapping = {
    protocol: match[1] as PortMapping['protocol'],
    port: Number(match[2]),
    type: match[3] ?? 'web',
    target: Number(match[4]),
  };
  for (const port of [mapping.port, mapping.target]) {
    if (port < 1 || port > 65_535)
      throw new PaasError('invalid', `${port} is no port: they go from 1 to 65535.`);
  }
  if (mapping.protocol === 'http' && mapping.port < LEAST_HTTP_PORT) {
    throw new PaasError(
      'invalid',
      `The router has no right to listen on port ${mapping.port}: choose one from ${LEAST_HTTP_PORT} on, or tcp in place of http.`,
    );
  }
  return mapping;
}

/** Those below are root's (ip(7), ip_unprivileged_port_start). */
const LEAST_HTTP_PORT = 1024;

function mappingProblem(text: string): string {
  if (/^(https|tls|grpcs?):/.test(text)) {
    return `${quote(text)}: TLS is ended by the router at the platform's own port; what is to reach the app unread is tcp, or \`domains:add --passthrough\`.`;
  }
  return `${quote(text)} is no port: it should look like http:8080:web:3000, tcp:5432:db:5432 or udp:53:dns:5353 (protocol, port of the machine, process type, port of its dynos).`;
}
