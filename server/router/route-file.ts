import { readFileSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { parseRouteChange, parseRouteTable } from './parse-route-table.ts';
import type { RouteChange, RouteTable } from './route-table.ts';

/**
 * The last route table on disk, for a router that starts while control is away.
 *
 *   routes.json           a whole table
 *   routes.json.changes   what came after it, a RouteChange a line
 */
export class RouteFile {
  readonly #path: string;
  readonly #changes: string;
  /** Bytes of changes since the whole table was written; undefined: not known yet. */
  #size: number | undefined;

  constructor(path: string) {
    this.#path = path;
    this.#changes = `${path}.changes`;
  }

  /** undefined: there is none. Throws if it is unreadable or damaged. */
  load(): RouteTable | undefined {
    const text = readIfThere(this.#path);
    if (text === undefined) return undefined;
    return withChanges(parseRouteTable(JSON.parse(text)), readIfThere(this.#changes) ?? '');
  }

  /** Replaces it in one step, so that a reader finds the old one or the new one whole. */
  async save(table: RouteTable): Promise<void> {
    const folder = dirname(this.#path);
    this.#size = undefined;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await write(`${this.#path}.new`, 'w', JSON.stringify(table));
    await rename(`${this.#path}.new`, this.#path);
    // Changes of the table before do not fit this one: after a crash right here they are not taken.
    await rm(this.#changes, { force: true });
    await syncFolder(folder);
    this.#size = 0;
  }

  /** Adds a change of the table on disk; when there are many, `table` takes the place of all. */
  async append(change: RouteChange, table: () => RouteTable): Promise<void> {
    const line = `${JSON.stringify(change)}\n`;
    if (this.#size === undefined || this.#size + line.length > MOST_CHANGES) {
      await this.save(table());
      return;
    }
    const size = this.#size + line.length;
    this.#size = undefined;
    await write(this.#changes, 'a', line);
    this.#size = size;
  }
}

/** Applies those changes that follow each other from this table on; one that was cut off by a crash is the last. */
function withChanges(table: RouteTable, text: string): RouteTable {
  const apps = new Map(table.apps.map((app) => [app.app, app]));
  let { revision } = table;
  for (const line of text.split('\n').slice(0, -1)) {
    const change = parseRouteChange(JSON.parse(line));
    if (change.from !== revision) continue;
    for (const name of change.gone) apps.delete(name);
    for (const app of change.apps) apps.set(app.app, app);
    revision = change.to;
  }
  return { ...table, ...(revision !== undefined && { revision }), apps: [...apps.values()] };
}

async function write(path: string, flags: 'w' | 'a', text: string): Promise<void> {
  const file = await open(path, flags, 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
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

/** Bytes; read in a few milliseconds at a start. */
const MOST_CHANGES = 1024 * 1024;
