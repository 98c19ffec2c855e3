import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

const MAX_SIZE = 1024 * 1024;

/**
 * The text of `etc/passwd` or `etc/group` as a container of these layers (topmost first) would see it; undefined: none.
 * Follows no symbolic link and opens nothing but regular files: the layers' content is not ours.
 */
export function readUserDatabase(layers: string[], name: 'passwd' | 'group'): string | undefined {
  for (const layer of layers) {
    const etc = lstatSync(join(layer, 'etc'), { throwIfNoEntry: false });
    if (!etc) continue;
    if (!etc.isDirectory()) return undefined;
    const file = lstatSync(join(layer, 'etc', name), { throwIfNoEntry: false });
    if (file) return file.isFile() ? readSmallFile(join(layer, 'etc', name)) : undefined;
  }
  return undefined;
}

function readSmallFile(path: string): string | undefined {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > MAX_SIZE) return undefined;
    const buffer = Buffer.alloc(stat.size);
    return buffer.toString('utf8', 0, readSync(fd, buffer, 0, stat.size, 0));
  } finally {
    closeSync(fd);
  }
}
