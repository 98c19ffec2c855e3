import { open, readdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Gives a file, or a folder with all that is in it, its name once the content is on the disk: without that, a power cut can leave
 * the name with empty files.
 */
export async function renameSynced(from: string, to: string): Promise<void> {
  await syncFiles(from);
  await rename(from, to);
  await sync(dirname(to));
}

async function syncFiles(path: string): Promise<void> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch((error) => {
    if (error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (!entries) return sync(path);
  const files = entries.filter((entry) => entry.isFile());
  await Promise.all(files.map((entry) => sync(join(entry.parentPath, entry.name))));
}

async function sync(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
