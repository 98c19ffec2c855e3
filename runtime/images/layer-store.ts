import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { spreadFolders } from '../syscall/files.ts';
import type { Trash } from '../trash.ts';

/** Overlay takes more, but the folders' names must fit in one page on older kernels. */
export const MAX_LAYERS = 80;

/**
 * The layers in `layers/<id>/diff`, in overlay's own format (whiteouts are character devices 0:0), never changed once there.
 * An id is 16 hex digits: all lower folders of a mount must fit in one page on older kernels.
 */
export class LayerStore {
  readonly #folder: string;
  readonly #trash: Trash;
  /** Layers that nobody has yet, as they are being made, or the image that is to have them. */
  readonly #held = new Map<string, number>();

  constructor(folder: string, trash: Trash) {
    this.#folder = folder;
    this.#trash = trash;
  }

  open(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    spreadFolders(this.#folder);
  }

  /** The layer's folder. */
  path(id: string): string {
    return `${this.#folder}/${id}/diff`;
  }

  exists(id: string): boolean {
    return existsSync(this.path(id));
  }

  /** Takes over a stopped container's upper folder as a new layer: a rename. Returns its id. */
  adopt(upper: string): string {
    const id = randomBytes(8).toString('hex');
    mkdirSync(join(this.#folder, id), { mode: 0o700 });
    renameSync(upper, this.path(id));
    return id;
  }

  /** Begins a layer: fill `folder`, then `finish` or `abandon` it. It is held: kept, though nobody has it, until it is released. */
  begin(): { id: string; folder: string } {
    const id = randomBytes(8).toString('hex');
    this.hold(id);
    const folder = join(this.#folder, id, 'new');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    chmodSync(folder, 0o755);
    return { id, folder };
  }

  /** All of the layer is there. */
  finish(id: string, known: { digest: string; size: number }): void {
    writeFileSync(join(this.#folder, id, 'digest'), known.digest);
    writeFileSync(join(this.#folder, id, 'size'), String(known.size));
    renameSync(join(this.#folder, id, 'new'), this.path(id));
  }

  abandon(id: string): void {
    this.release(id);
    this.#trash.discard(join(this.#folder, id));
  }

  hold(id: string): void {
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
  }

  release(id: string): void {
    const count = (this.#held.get(id) ?? 0) - 1;
    if (count > 0) this.#held.set(id, count);
    else this.#held.delete(id);
  }

  /** A complete layer that came as a tar of this digest. */
  findByDigest(digest: string): string | undefined {
    return readdirSync(this.#folder).find((id) => this.digest(id) === digest && this.exists(id));
  }

  /** Registers a folder outside the store, which stays where it is. Returns its id, the same for the same folder. */
  link(folder: string): string {
    const id = createHash('sha256').update(folder).digest('hex').slice(0, 16);
    mkdirSync(join(this.#folder, id), { recursive: true, mode: 0o700 });
    if (!existsSync(this.path(id))) symlinkSync(folder, this.path(id));
    return id;
  }

  /** Discards every layer that is not in `used`. */
  removeUnused(used: Set<string>): void {
    for (const id of readdirSync(this.#folder)) {
      if (!used.has(id) && !this.#held.has(id)) this.#trash.discard(join(this.#folder, id));
    }
  }

  /** `sha256:…` of the tar that the layer came as, or else of the one that `packed` remembers. */
  digest(id: string): string | undefined {
    return this.#read(id, 'digest') ?? this.packed(id)?.digest;
  }

  /** Of the tar that this store makes of the layer, if it ever did. */
  packed(id: string): { digest: string; size: number } | undefined {
    const [digest, size] = this.#read(id, 'packed')?.split(' ') ?? [];
    return digest && size ? { digest, size: Number(size) } : undefined;
  }

  rememberPacked(id: string, { digest, size }: { digest: string; size: number }): void {
    writeFileSync(join(this.#folder, id, 'packed'), `${digest} ${size}`);
  }

  #read(id: string, name: string): string | undefined {
    try {
      return readFileSync(join(this.#folder, id, name), 'utf8');
    } catch {
      return undefined;
    }
  }

  /** Bytes in the layer's files; walked once, then remembered beside it. */
  async size(id: string): Promise<number> {
    const memo = join(this.#folder, id, 'size');
    try {
      return Number(readFileSync(memo, 'utf8'));
    } catch {
      const size = await folderSize(`${this.path(id)}/`);
      try {
        writeFileSync(memo, String(size));
      } catch {
        // Removed meanwhile, or the disk is full: it is only a memo.
      }
      return size;
    }
  }
}

/** Bytes in the files of a folder and those below; what goes away meanwhile does not count. */
async function folderSize(path: string): Promise<number> {
  let size = 0;
  const pending = [path];
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    try {
      for await (const entry of await opendir(folder)) {
        const child = join(folder, entry.name);
        if (entry.isDirectory()) pending.push(child);
        else if (entry.isFile()) size += (await lstat(child)).size;
      }
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENAMETOOLONG') throw error;
    }
  }
  return size;
}
