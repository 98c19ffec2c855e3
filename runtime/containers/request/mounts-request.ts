import { EngineError } from '../../engine-error.ts';
import { type MountsConfig, parseBind } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';

const DEFAULT_SHM = 64 * 1024 * 1024;

/** The fields of HostConfig that `parseMounts` reads. */
export const MOUNT_FIELDS = ['Binds', 'ShmSize'];

/** Reads what is mounted into a container. Throws `invalid`. */
export function parseMounts(fields: RequestFields): MountsConfig {
  return {
    Binds: fields.strings('Binds').map(requireBind),
    ShmSize: fields.count('ShmSize', DEFAULT_SHM),
  };
}

function requireBind(text: string): string {
  const bind = parseBind(text);
  const named = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(bind?.source ?? '');
  if (!bind || !(named || isPlainPath(bind.source)) || !isPlainPath(bind.target) || bind.target === '/') {
    throw new EngineError(
      'invalid',
      `"${text}" is not a bind: SOURCE:TARGET[:ro], both absolute, without "." or "..".`,
    );
  }
  return text;
}

function isPlainPath(path: string): boolean {
  return path.startsWith('/') && !path.split('/').some((part) => part === '.' || part === '..');
}
