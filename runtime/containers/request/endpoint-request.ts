import { EngineError } from '../../engine-error.ts';
import type { Endpoint } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';

/** What an endpoint can say; the addresses come back from clients that repeat what they inspected. */
const KNOWN_FIELDS = new Set([
  ...['Aliases', 'Links', 'IPAMConfig', 'DriverOpts', 'GwPriority', 'MacAddress', 'DNSNames', 'NetworkID'],
  ...['EndpointID', 'Gateway', 'IPAddress', 'IPPrefixLen', 'IPv6Gateway', 'GlobalIPv6Address'],
  'GlobalIPv6PrefixLen',
]);

/** Reads `NetworkingConfig` of a create request: an endpoint for each network, by the name that the client uses. Throws `invalid`. */
export function parseEndpoints(fields: RequestFields): Map<string, Endpoint> {
  const endpoints = fields.object('EndpointsConfig');
  const names = Object.keys((fields.raw('EndpointsConfig') as object | null) ?? {});
  return new Map(names.map((name) => [name, parseEndpoint(endpoints.object(name))]));
}

/** Reads an `EndpointSettings` of the Engine API. Throws `invalid`, also for a wish that cannot be fulfilled here. */
export function parseEndpoint(fields: RequestFields): Endpoint {
  const unknown = fields.names().filter((name) => !KNOWN_FIELDS.has(name));
  if (unknown.length > 0)
    throw new EngineError('invalid', `This runtime does not support ${unknown.join(', ')} of an endpoint.`);
  // None has one that could come back.
  if (fields.says('MacAddress'))
    throw new EngineError('invalid', 'A container cannot choose its MAC address.');
  const ipam = fields.object('IPAMConfig');
  if (ipam.says('IPv4Address') || ipam.says('IPv6Address') || ipam.says('LinkLocalIPs')) {
    throw new EngineError(
      'invalid',
      'A container cannot choose its address: it has one, whichever networks it joins.',
    );
  }
  return {
    aliases: fields.strings('Aliases').map(requireAlias),
    links: fields.strings('Links').map(requireLink),
  };
}

/** What can be asked for in DNS: labels of letters, digits, "_" and "-". */
function requireAlias(name: string): string {
  const labels = name.split('.');
  if (
    name.length > 253 ||
    labels.some((label) => !/^[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?$/.test(label))
  )
    throw new EngineError('invalid', `"${name}" is not a network alias, e.g. db or db.example.`);
  return name;
}

function requireLink(text: string): string {
  const [container, alias, ...rest] = text.split(':');
  if (!container || rest.length > 0) {
    throw new EngineError('invalid', `"${text}" is not a link: CONTAINER or CONTAINER:ALIAS.`);
  }
  if (alias !== undefined) requireAlias(alias);
  return text;
}
