import * as fs from 'node:fs';
import { EngineError } from '../engine-error.ts';
import {
  createFile,
  enterFolder,
  inFolder,
  isWhiteout,
  linkName,
  makeFifo,
  makeWhiteout,
  nameBytes,
  openFolder,
  openName,
  writeAttribute,
} from '../syscall/folder.ts';
import { CAPABILITY, capabilityOutside } from './file-capability.ts';
import { memberPath, splitPath } from './member-path.ts';
import { readable, type TarEntry } from './tar-format.ts';
import type { TarListener } from './tar-reader.ts';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

export interface UnpackOptions {
  /** A layer: `.wh.NAME` hides what lower layers have, in overlay's own way. */
  layer: boolean;
  /** In place of the archive's owners. */
  owner: { uid: number; gid: number } | undefined;
  /** Refuses to put a file in a folder's place, and the other way round. */
  keepKind: boolean;
  /** The archive's `./` tells owner and mode of the root folder. */
  describeRoot: boolean;
  /** What user 0 of the archive is here. */
  ownersFrom: number;
  /** How much may be unpacked. */
  budget: { bytes: number; members: number };
}

/** Makes files below a root folder of what a tar holds. Whatever the archive says, nothing outside of the root is touched. */
export class Unpacker implements TarListener {
  readonly #root: number;
  readonly #options: UnpackOptions;
  /** Times of folders change with what comes into them: they are set at the end. */
  readonly #folderTimes = new Map<string, number>();
  /** Folders of a layer that show nothing of lower layers. Only somebody with more rights can mark them as such. */
  readonly opaque = new Set<string>();
  #file: { fd: number; entry: TarEntry } | undefined;
  #bytes = 0;
  #members = 0;

  constructor(root: number, options: UnpackOptions) {
    this.#root = root;
    this.#options = options;
  }

  get bytes(): number {
    return this.#bytes;
  }

  entry(entry: TarEntry): void {
    this.#spend(entry.size);
    const path = memberPath(entry.name);
    if (path === '') this.#describeRoot(entry);
    else this.#member(path, entry);
  }

  data(chunk: Buffer): void {
    if (!this.#file) return;
    for (let at = 0; at < chunk.length; ) at += fs.writeSync(this.#file.fd, chunk, at);
  }

  end(): void {
    if (!this.#file) return;
    const { fd, entry } = this.#file;
    this.#file = undefined;
    this.#describeFile(fd, entry);
    fs.closeSync(fd);
  }

  /** After the last member. */
  finish(): void {
    for (const [path, time] of this.#folderTimes) {
      // What was a folder may have been replaced since.
      const fd = openIfFolder(this.#root, path);
      if (fd === undefined) continue;
      enterFolder(fd);
      fs.lutimesSync('.', time, time);
      fs.closeSync(fd);
    }
  }

  #spend(bytes: number): void {
    this.#members++;
    this.#bytes += bytes;
    const { budget } = this.#options;
    if (this.#members > budget.members) {
      throw new EngineError('invalid', `The archive has more than ${budget.members} members.`);
    }
    if (this.#bytes > budget.bytes) {
      throw new EngineError('invalid', `The archive unpacks to more than ${budget.bytes} bytes.`);
    }
  }

  #member(path: string, entry: TarEntry): void {
    const { parent, name } = splitPath(path);
    if (this.#options.layer && parent.split('/').some((part) => part.startsWith(WHITEOUT))) {
      throw new EngineError('invalid', `"${readable(entry.name)}" is below the mark of a removed file.`);
    }
    // Containers get a /dev of their own, and nothing else here needs a device.
    if (entry.type === 'character' || entry.type === 'block') return;
    this.#ensureFolder(parent);
    inFolder(this.#root, parent, () => {
      if (this.#options.layer && name.startsWith(WHITEOUT)) this.#hide(path, entry);
      else this.#make(path, name, entry);
    });
  }

  /** Whose content it is, for `docker cp` and others who name the folder itself. */
  #describeRoot(entry: TarEntry): void {
    if (entry.type !== 'folder') throw new EngineError('invalid', 'A member of the archive has no name.');
    if (!this.#options.describeRoot) return;
    enterFolder(this.#root);
    this.#describeFolder('', '.', entry);
  }

  #ensureFolder(path: string): void {
    try {
      fs.closeSync(openFolder(this.#root, path));
      return;
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      if (!['ENOENT', 'ENOTDIR'].includes(code)) throw error;
    }
    const { parent, name } = splitPath(path);
    this.#ensureFolder(parent);
    inFolder(this.#root, parent, () => {
      const there = lstat(name);
      // A folder in the place of a removed one shows nothing of lower layers.
      const hidden = there !== undefined && this.#options.layer && isWhiteout(there);
      // A symbolic link that leads nowhere is no place to put something.
      if (there && !hidden) throw notAFolder(path);
      if (hidden) fs.unlinkSync(nameBytes(name));
      fs.mkdirSync(nameBytes(name), 0o755);
      if (hidden) this.opaque.add(path);
    });
  }

  /** `.wh.NAME`; `.wh..wh..opq`: nothing of lower layers is to be seen in this folder; other `.wh..wh.` names are aufs's own. */
  #hide(path: string, entry: TarEntry): void {
    const { parent, name } = splitPath(path);
    if (entry.type !== 'file') {
      throw new EngineError(
        'invalid',
        `"${readable(entry.name)}" is the mark of a removed file, but not a file.`,
      );
    }
    if (name === OPAQUE) return void this.opaque.add(parent);
    if (name.startsWith(WHITEOUT + WHITEOUT)) return;
    const hidden = name.slice(WHITEOUT.length);
    if (['', '.', '..'].includes(hidden)) {
      throw new EngineError(
        'invalid',
        `"${readable(entry.name)}" is the mark of a removed file without a name.`,
      );
    }
    const there = lstat(hidden);
    // What this layer has itself stays, and only what lower layers have is hidden: a file does so by being there.
    if (!there) makeWhiteout(hidden);
    else if (there.isDirectory()) this.opaque.add(parent ? `${parent}/${hidden}` : hidden);
  }

  #make(path: string, name: string, entry: TarEntry): void {
    const there = lstat(name);
    const hidden = there !== undefined && this.#options.layer && isWhiteout(there);
    const isKept = there?.isDirectory() && entry.type === 'folder';
    if (there && !isKept) this.#clear(name, there, entry);
    switch (entry.type) {
      case 'folder':
        if (!isKept) fs.mkdirSync(nameBytes(name), 0o700);
        if (hidden) this.opaque.add(path);
        this.#describeFolder(path, name, entry);
        break;
      case 'symlink':
        fs.symlinkSync(nameBytes(entry.linkName), nameBytes(name));
        this.#describeLink(name, entry);
        break;
      case 'link':
        this.#link(name, entry);
        break;
      case 'fifo':
        makeFifo(name);
        withName(name, (fd) => this.#describeFile(fd, entry));
        break;
      default:
        this.#file = { fd: createFile(name), entry };
    }
  }

  #clear(name: string, there: fs.Stats, entry: TarEntry): void {
    if (this.#options.keepKind && there.isDirectory() !== (entry.type === 'folder')) {
      const kinds = there.isDirectory() ? 'a folder, not a file' : 'a file, not a folder';
      throw new EngineError('invalid', `"${readable(entry.name)}" is ${kinds}: it is not replaced.`);
    }
    try {
      if (there.isDirectory()) fs.rmdirSync(nameBytes(name));
      else fs.unlinkSync(nameBytes(name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
      throw new EngineError('invalid', `"${readable(entry.name)}" would replace a folder that is not empty.`);
    }
  }

  /** The target is of the archive as well: it is looked for below the root, and is itself no link to be followed. */
  #link(name: string, entry: TarEntry): void {
    const target = splitPath(memberPath(entry.linkName));
    const folder = openFolder(this.#root, target.parent);
    try {
      linkName({ folder, name: target.name }, name);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new EngineError(
        'invalid',
        `"${readable(entry.name)}" cannot be a hard link to "${readable(entry.linkName)}": ${code}.`,
      );
    } finally {
      fs.closeSync(folder);
    }
  }

  #describeFolder(path: string, name: string, entry: TarEntry): void {
    withName(name, (fd) => this.#describe(fd, entry), true);
    this.#folderTimes.set(path, entry.mtime);
  }

  #describeFile(fd: number, entry: TarEntry): void {
    this.#describe(fd, entry);
    fs.futimesSync(fd, entry.mtime, entry.mtime);
  }

  #describeLink(name: string, entry: TarEntry): void {
    const { uid, gid } = this.#ownerOf(entry);
    fs.lchownSync(nameBytes(name), uid, gid);
    fs.lutimesSync(nameBytes(name), entry.mtime, entry.mtime);
  }

  /** The owner first: a change of it takes set-user-id and capabilities away. They mean something in a container only, and not even there (no_new_privs). */
  #describe(fd: number, entry: TarEntry): void {
    const { uid, gid } = this.#ownerOf(entry);
    fs.fchownSync(fd, uid, gid);
    fs.fchmodSync(fd, entry.mode);
    for (const [name, value] of Object.entries(entry.attributes)) {
      if (name === CAPABILITY) this.#allow(fd, value);
      else if (isKeptAttribute(name)) writeAttribute(fd, name, value);
    }
  }

  /** What the kernel takes for no capabilities gives none: a file is better without it than not there. */
  #allow(fd: number, value: string): void {
    try {
      writeAttribute(fd, CAPABILITY, capabilityOutside(value, this.#options.ownersFrom));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
    }
  }

  #ownerOf(entry: TarEntry): { uid: number; gid: number } {
    const { owner, ownersFrom } = this.#options;
    const { uid, gid } = owner ?? entry;
    return { uid: uid + ownersFrom, gid: gid + ownersFrom };
  }
}

/** Others say something to the kernel of this machine (`trusted.overlay.…`, `security.selinux`, `system.posix_acl_…`). */
export function isKeptAttribute(name: string): boolean {
  return name === CAPABILITY || (name.startsWith('user.') && !name.startsWith('user.overlay.'));
}

function openIfFolder(root: number, path: string): number | undefined {
  try {
    return openFolder(root, path);
  } catch {
    return undefined;
  }
}

function lstat(name: string): fs.Stats | undefined {
  return fs.lstatSync(nameBytes(name), { throwIfNoEntry: false });
}

function withName(name: string, work: (fd: number) => void, folder = false): void {
  const fd = openName(name, { folder });
  try {
    work(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function notAFolder(path: string): EngineError {
  return new EngineError('invalid', `"${readable(path)}" is not a folder, so nothing can be put into it.`);
}
