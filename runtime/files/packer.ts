import * as fs from 'node:fs';
import {
  enterFolder,
  isWhiteout,
  nameBytes,
  openAnything,
  openName,
  readAttributes,
  readLink,
} from '../syscall/folder.ts';
import { CAPABILITY, capabilityInside } from './file-capability.ts';
import type { TarEntry, TarEntryType } from './tar-format.ts';
import { tarEnd, tarHeader, tarPadding } from './tar-writer.ts';
import { isKeptAttribute } from './unpacker.ts';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const OPAQUE_ATTRIBUTE = 'trusted.overlay.opaque';
/** Each level of folders costs a descriptor. */
const MAX_DEPTH = 900;
/** Of the host, and of no use inside. */
const NOBODY = 65_534;
const CHUNK = 256 * 1024;

export interface PackOptions {
  /** A layer's own folder: overlay's marks of removed files become `.wh.NAME`. */
  layer: boolean;
  /** What is mounted below is shown empty. */
  sameMount: boolean;
  /** What user 0 of the archive is here. */
  ownersFrom: number;
  write: (bytes: Buffer) => void;
}

/**
 * Writes a tree as a tar, in the order of the names' bytes, so that the same tree gives the same bytes. The tree may change while
 * it is read: every name is opened without following a link, and a file has as many bytes as its header says.
 */
export class Packer {
  readonly #options: PackOptions;
  /** Of files with several names: which one came first. */
  readonly #firstNames = new Map<string, string>();
  readonly #chunk = Buffer.allocUnsafe(CHUNK);

  constructor(options: PackOptions) {
    this.#options = options;
  }

  /** What is in an open folder, each name with `prefix` before it. Leaves it as working folder. */
  folder(fd: number, prefix: string, depth = 0): void {
    if (depth > MAX_DEPTH) throw new Error(`The folders are nested deeper than ${MAX_DEPTH}.`);
    enterFolder(fd);
    const names = fs.readdirSync('.', { encoding: 'buffer' }).sort(Buffer.compare);
    for (const name of names.map((bytes) => bytes.toString('latin1'))) {
      // The name means a removed file in a layer, so a file of that name cannot be told.
      if (this.#options.layer && name.startsWith(WHITEOUT)) continue;
      this.member(name, prefix + name, depth);
      enterFolder(fd);
    }
  }

  /** The folder and what is in it, as `path`. */
  tree(fd: number, path: string): void {
    enterFolder(fd);
    this.member('.', path === '/' ? '' : path);
  }

  /** What has this name in the working folder, as `path` in the archive. */
  member(name: string, path: string, depth = 0): void {
    const stat = fs.lstatSync(nameBytes(name), { throwIfNoEntry: false });
    if (stat?.isDirectory()) this.#folder(name, path, depth);
    else if (stat?.isFile()) this.#file(name, path);
    else if (stat?.isSymbolicLink()) this.#symlink(name, path);
    else if (stat?.isFIFO()) this.#header(describe('fifo', path, stat));
    else if (stat && this.#options.layer && isWhiteout(stat)) this.#mark(inPlaceOf(path));
    // Sockets mean nothing without their process, and devices nothing in a container.
  }

  end(): void {
    this.#options.write(tarEnd());
  }

  #folder(name: string, path: string, depth: number): void {
    const fd = this.#open(name, true);
    if (fd === undefined) return;
    try {
      const attributes = readAttributes(fd);
      this.#header(describe('folder', `${path}/`, fs.fstatSync(fd), kept(attributes)));
      if (this.#options.layer && attributes[OPAQUE_ATTRIBUTE] === 'y') this.#mark(`${path}/${OPAQUE}`);
      if (!this.#isMounted(name)) this.folder(fd, `${path}/`, depth + 1);
    } finally {
      fs.closeSync(fd);
    }
  }

  #file(name: string, path: string): void {
    const mounted = this.#isMounted(name);
    const fd = this.#open(name, false);
    if (fd === undefined) return;
    try {
      const stat = fs.fstatSync(fd);
      if (!stat.isFile()) return;
      const first = this.#firstName(stat, path);
      const attributes = kept(readAttributes(fd));
      if (first !== undefined) {
        this.#header({ ...describe('link', path, stat), linkName: first });
      } else {
        const size = mounted ? 0 : stat.size;
        this.#header({ ...describe('file', path, stat, attributes), size });
        this.#content(fd, size);
      }
    } finally {
      fs.closeSync(fd);
    }
  }

  #firstName(stat: fs.Stats, path: string): string | undefined {
    if (stat.nlink < 2) return undefined;
    const file = `${stat.dev}:${stat.ino}`;
    const first = this.#firstNames.get(file);
    if (first === undefined) this.#firstNames.set(file, path);
    return first;
  }

  /** Exactly so many bytes, whatever becomes of the file meanwhile. */
  #content(fd: number, size: number): void {
    for (let left = size; left > 0; ) {
      const length = fs.readSync(fd, this.#chunk, 0, Math.min(left, CHUNK), null);
      const bytes = length > 0 ? this.#chunk.subarray(0, length) : Buffer.alloc(Math.min(left, CHUNK));
      this.#options.write(bytes);
      left -= bytes.length;
    }
    this.#options.write(tarPadding(size));
  }

  #symlink(name: string, path: string): void {
    const here = openName('.', { folder: true });
    try {
      const link = openAnything(here, name);
      try {
        const stat = fs.fstatSync(link);
        if (!stat.isSymbolicLink()) return;
        this.#header({ ...describe('symlink', path, stat), linkName: readLink(link) });
      } finally {
        fs.closeSync(link);
      }
    } finally {
      fs.closeSync(here);
    }
  }

  #header(entry: TarEntry): void {
    const { ownersFrom, write } = this.#options;
    const inside = (id: number) => (id >= ownersFrom ? id - ownersFrom : NOBODY);
    const attributes = { ...entry.attributes };
    const capability = attributes[CAPABILITY];
    if (capability !== undefined) attributes[CAPABILITY] = capabilityInside(capability, ownersFrom);
    write(tarHeader({ ...entry, uid: inside(entry.uid), gid: inside(entry.gid), attributes }));
  }

  #mark(path: string): void {
    const nothing = { mode: 0o600, uid: 0, gid: 0, size: 0, mtime: 0, linkName: '', attributes: {} };
    this.#options.write(tarHeader({ name: path, type: 'file', ...nothing }));
  }

  /** undefined: it is gone, or something else by now. */
  #open(name: string, folder: boolean): number | undefined {
    try {
      return openName(name, { folder });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(code ?? '')) return undefined;
      throw error;
    }
  }

  #isMounted(name: string): boolean {
    if (!this.#options.sameMount) return false;
    try {
      fs.closeSync(openName(name, { folder: false, sameMount: true }));
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EXDEV';
    }
  }
}

function describe(
  type: TarEntryType,
  name: string,
  stat: fs.Stats,
  attributes: Record<string, string> = {},
): TarEntry {
  return {
    ...{ name, type, attributes, size: 0, linkName: '' },
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    mtime: Math.max(0, Math.floor(stat.mtimeMs / 1000)),
  };
}

/** `a/b` → `a/.wh.b` */
function inPlaceOf(path: string): string {
  const at = path.lastIndexOf('/') + 1;
  return path.slice(0, at) + WHITEOUT + path.slice(at);
}

function kept(attributes: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => isKeptAttribute(name)));
}
