import { readFileSync } from 'node:fs';
import { mkdir, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseRouteTable } from './parse-route-table.ts';
import type { RouteTable } from './route-table.ts';

/** The last route table on disk, for a router that starts while control is away. */
export class RouteFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** undefined: there is none. Throws if it is unreadable or damaged. */
  load(): RouteTable | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    return parseRouteTable(JSON.parse(text));
  }

  /** Replaces it in one step, so that a reader finds the old one or the new one whole. */
  async save(table: RouteTable): Promise<void> {
    const folder = dirname(this.#path);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const draft = `${this.#path}.new`;
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(JSON.stringify(table));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, this.#path);
    await syncFolder(folder);
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
