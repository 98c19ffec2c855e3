import { isIP } from 'node:net';
import { EngineError } from '../../engine-error.ts';
import type { NetworkConfig } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';

/** The fields of HostConfig that `parseNetwork` reads. */
export const NETWORK_FIELDS = ['NetworkMode', 'ExtraHosts', 'Dns', 'DnsSearch', 'DnsOptions', 'Links'];

/** Reads which networks and hosts a container knows. Throws `invalid`. */
export function parseNetwork(fields: RequestFields): NetworkConfig {
  const mode = parseNetworkMode(fields.string('NetworkMode'));
  refuseOldLinks(mode, fields.strings('Links'));
  return {
    NetworkMode: mode,
    ExtraHosts: fields.strings('ExtraHosts').map(requireExtraHost),
    Dns: fields.strings('Dns').map(requireNameServer),
    DnsSearch: fields.strings('DnsSearch').map(requireSearchDomain),
    DnsOptions: fields.strings('DnsOptions').map(requireResolverOption),
  };
}

function parseNetworkMode(mode: string): string {
  if (['', 'default', 'nat'].includes(mode)) return 'default';
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(mode) && mode !== 'host') return mode;
  const other = mode === 'host' ? 'Containers never share the network of the host' : 'It is no network';
  throw new EngineError(
    'invalid',
    `This runtime does not support HostConfig.NetworkMode "${mode}". ${other}: use bridge, none, or the name of a network.`,
  );
}

/** Clients say links of other networks with the endpoint, and repeat them here. */
function refuseOldLinks(mode: string, links: string[]): void {
  if (links.length === 0 || !['default', 'bridge', 'none'].includes(mode)) return;
  throw new EngineError(
    'invalid',
    'Containers in the default network cannot be linked: make a network, where they know each other by name.',
  );
}

function requireExtraHost(text: string): string {
  const [name = '', ...address] = text.split(':');
  const ip = address.join(':').replace(/^\[(.*)\]$/, '$1');
  if (!/^[a-zA-Z0-9._-]{1,253}$/.test(name) || !(isIP(ip) || ip === 'host-gateway')) {
    throw new EngineError('invalid', `"${text}" is not an extra host: NAME:IP.`);
  }
  return `${name}:${ip}`;
}

/** The host asks it for the container, so the container's own loopback cannot be meant. */
function requireNameServer(address: string): string {
  if (isIP(address) && !/^(127\.|::1$|0\.|::$)/.test(address)) return address;
  throw new EngineError('invalid', `HostConfig.Dns "${address}" is not the address of a name server.`);
}

/** `.`: none at all. */
function requireSearchDomain(domain: string): string {
  if (domain === '.' || /^[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9_.])?$/.test(domain)) return domain;
  throw new EngineError('invalid', `HostConfig.DnsSearch "${domain}" is not a domain.`);
}

function requireResolverOption(option: string): string {
  if (/^[a-z0-9-]{1,30}(:\d{1,5})?$/.test(option)) return option;
  throw new EngineError('invalid', `HostConfig.DnsOptions "${option}" is not an option of resolv.conf(5).`);
}
