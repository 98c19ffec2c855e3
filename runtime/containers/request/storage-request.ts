import { EngineError } from '../../engine-error.ts';
import type { StorageConfig } from '../container-config.ts';
import type { RequestFields } from '../request-fields.ts';

/** ext4 needs some room for itself. */
const MIN_SIZE = 16 * 1024 ** 2;
const MAX_SIZE = 1024 ** 4;
const UNITS = ['', 'k', 'm', 'g', 't'];

/** The fields of HostConfig that `parseStorage` reads. */
export const STORAGE_FIELDS = ['StorageOpt'];

/** Reads how much a container may write: `StorageOpt: {"size": "2G"}`, as Docker's `--storage-opt size=2G`. Throws `invalid`. */
export function parseStorage(fields: RequestFields): StorageConfig {
  const options = fields.map('StorageOpt');
  const unknown = Object.keys(options).find((name) => name !== 'size');
  if (unknown !== undefined) {
    throw new EngineError(
      'invalid',
      `This runtime does not support HostConfig.StorageOpt "${unknown}": size.`,
    );
  }
  return { DiskSize: options.size === undefined ? 0 : parseSize(options.size) };
}

function parseSize(text: string): number {
  const match = /^(\d{1,15}(?:\.\d{1,6})?) ?([kmgt]?)i?b?$/i.exec(text);
  const size = match ? Number(match[1]) * 1024 ** UNITS.indexOf(match[2]!.toLowerCase()) : Number.NaN;
  if (size >= MIN_SIZE && size <= MAX_SIZE) return Math.ceil(size / 4096) * 4096;
  throw new EngineError(
    'invalid',
    `HostConfig.StorageOpt size "${text}" is not a size from 16M to 1T, e.g. 2G.`,
  );
}
