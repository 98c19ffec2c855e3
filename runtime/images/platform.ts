import { EngineError } from '../engine-error.ts';
import { ARCHITECTURE } from './oci-config.ts';

/** What every image here is for. */
export const PLATFORM = `linux/${ARCHITECTURE}`;

/** Other names of architectures, as containerd's platforms package knows them. */
const ALIASES: Record<string, string> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  i386: '386',
  armhf: 'arm',
  armel: 'arm',
};
const ARCHITECTURES = ['386', 'amd64', 'arm', 'arm64', 'loong64', 'ppc64le', 'riscv64', 's390x'];

/**
 * Whether `linux`, `amd64` or `linux/amd64[/VARIANT]` is this machine's platform. A variant says what a machine has beyond its architecture,
 * and no image here needs more. Throws `invalid` for what means none.
 */
export function isOwnPlatform(text: string): boolean {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_.()-]+$/.test(part))) throw noPlatform(text);
  if (parts.length > 1) return parts[0] === 'linux' && architecture(parts[1]!) === ARCHITECTURE;
  if (['linux', 'windows', 'darwin', 'freebsd'].includes(parts[0]!)) return parts[0] === 'linux';
  if (!ARCHITECTURES.includes(architecture(parts[0]!))) throw noPlatform(text);
  return architecture(parts[0]!) === ARCHITECTURE;
}

function architecture(name: string): string {
  return ALIASES[name] ?? name;
}

function noPlatform(text: string): EngineError {
  return new EngineError('invalid', `"${text}" is not a platform, e.g. ${PLATFORM}.`);
}
