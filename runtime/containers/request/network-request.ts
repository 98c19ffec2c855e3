import { EngineError } from '../../engine-error.ts';
import type { NetworkConfig } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';

/** The fields of HostConfig that `parseNetwork` reads. */
export const NETWORK_FIELDS = ['NetworkMode', 'ExtraHosts'];

/** Reads which networks and hosts a container knows. Throws `invalid`. */
export function parseNetwork(fields: RequestFields): NetworkConfig {
  return {
    NetworkMode: parseNetworkMode(fields.string('NetworkMode')),
    ExtraHosts: fields.strings('ExtraHosts').map(requireExtraHost),
  };
}

function parseNetworkMode(mode: string): 'default' | 'none' {
  if (mode === 'none') return 'none';
  if (['', 'default', 'bridge', 'nat'].includes(mode)) return 'default';
  throw new EngineError(
    'invalid',
    `This runtime does not support HostConfig.NetworkMode "${mode}": bridge or none.`,
  );
}

function requireExtraHost(text: string): string {
  if (!/^[a-zA-Z0-9._-]{1,253}:[0-9a-fA-F.:]{2,45}$/.test(text)) {
    throw new EngineError('invalid', `"${text}" is not an extra host: NAME:IP.`);
  }
  return text;
}
