import type { ChildProcess } from 'node:child_process';
import { linkSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { SourceTree } from '../../buildpacks/source-tree.ts';
import { PaasError } from '../model/paas-error.ts';
import { type Quarantine, runGit, startGit } from './git.ts';

const MAX_PATHS = 100_000;
const MAX_BYTES = 2 * 1024 ** 3;
const MAX_TEXT = 1024 ** 2;
const MAX_LOCK_FILE = 5 * 1024 ** 2;

interface TreeEntry {
  blob: string;
  bytes: number;
}

/** The tree of a pushed commit, read through git; symbolic links and submodules are listed but never followed. */
export class GitTree implements SourceTree {
  readonly files: ReadonlyMap<string, string>;
  readonly repository: string;
  readonly commit: string;
  readonly quarantine: Quarantine;
  #entries: Map<string, TreeEntry>;
  #reader: BlobReader | undefined;

  private constructor(
    where: { repository: string; commit: string; quarantine: Quarantine },
    entries: Map<string, TreeEntry>,
  ) {
    this.repository = where.repository;
    this.commit = where.commit;
    this.quarantine = where.quarantine;
    this.#entries = entries;
    this.files = new Map([...entries].map(([path, entry]) => [path, entry.blob]));
  }

  /**
   * Lists the tree within a budget of paths, bytes and time, so that a tree bomb is refused before anything is
   * unpacked. Throws `invalid`.
   */
  static async open(repository: string, commit: string, quarantine: Quarantine): Promise<GitTree> {
    const listing = await runGit(['ls-tree', '-r', '-z', '-l', '--full-tree', commit], {
      cwd: repository,
      quarantine,
      maxBytes: 32 * 1024 ** 2,
      maxMilliseconds: 5_000,
    }).catch((cause) => {
      throw new PaasError(
        'invalid',
        'The pushed tree could not be listed: it has too many files, or is damaged.',
        { cause },
      );
    });
    const entries = parseListing(listing.toString());
    checkBudget(entries);
    return new GitTree({ repository, commit, quarantine }, entries);
  }

  async read(path: string): Promise<string | undefined> {
    const entry = this.#entries.get(path);
    if (!entry) return undefined;
    const limit = /lock/.test(path) ? MAX_LOCK_FILE : MAX_TEXT;
    if (entry.bytes > limit)
      throw new PaasError('invalid', `${path} is over ${limit / 1024 ** 2} MiB, too large to be read.`);
    this.#reader ??= new BlobReader(this.repository, this.quarantine);
    return (await this.#reader.read(entry.blob)).toString();
  }

  /**
   * Has what was pushed outlive its quarantine, whatever becomes of git: it is linked into the repository, where git finds it when
   * it moves it there itself.
   */
  keepObjects(): void {
    const { GIT_OBJECT_DIRECTORY } = this.quarantine;
    if (GIT_OBJECT_DIRECTORY === undefined) return;
    const from = resolve(this.repository, GIT_OBJECT_DIRECTORY);
    const entries = readdirSync(from, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
    // git takes a pack for whole when its index is there.
    files.sort((a, b) => Number(a.endsWith('.idx')) - Number(b.endsWith('.idx')));
    for (const file of files) link(file, join(this.repository, 'objects', relative(from, file)));
  }

  close(): void {
    this.#reader?.close();
  }
}

function link(file: string, name: string): void {
  mkdirSync(dirname(name), { recursive: true });
  try {
    linkSync(file, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error; // by its name it is the same
  }
}

function parseListing(listing: string): Map<string, TreeEntry> {
  const entries = new Map<string, TreeEntry>();
  for (const line of listing.split('\0')) {
    const match = /^(\d+) blob ([0-9a-f]+) +(\d+)\t(.+)$/s.exec(line);
    if (match && match[1] !== '120000') entries.set(match[4]!, { blob: match[2]!, bytes: Number(match[3]) });
  }
  return entries;
}

function checkBudget(entries: Map<string, TreeEntry>): void {
  let bytes = 0;
  for (const entry of entries.values()) bytes += entry.bytes;
  if (entries.size > MAX_PATHS)
    throw new PaasError('invalid', `The pushed tree has over ${MAX_PATHS} files.`);
  if (bytes > MAX_BYTES) throw new PaasError('invalid', 'The pushed tree is over 2 GiB unpacked.');
}

/** One `git cat-file --batch` for all files of a tree. */
class BlobReader {
  #child: ChildProcess;
  #buffered: Buffer = Buffer.alloc(0);
  #ended = false;
  #wake: () => void = () => {};

  constructor(repository: string, quarantine: Quarantine) {
    this.#child = startGit(['cat-file', '--batch'], {
      cwd: repository,
      quarantine,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#child.stdin!.on('error', () => {});
    this.#child.stdout!.on('data', (chunk: Buffer) => {
      this.#buffered = Buffer.concat([this.#buffered, chunk]);
      this.#wake();
    });
    for (const event of ['error', 'close']) {
      this.#child.on(event, () => {
        this.#ended = true;
        this.#wake();
      });
    }
  }

  /** One at a time: callers await each read. */
  async read(blob: string): Promise<Buffer> {
    this.#child.stdin!.write(`${blob}\n`);
    const header = (await this.#take((buffer) => buffer.indexOf(10) + 1)).toString();
    const size = Number(/ blob (\d+)\n$/.exec(header)?.[1]);
    if (Number.isNaN(size)) throw new PaasError('internal', `git has no object ${blob}.`);
    const content = await this.#take((buffer) => (buffer.length > size ? size + 1 : 0));
    return content.subarray(0, size);
  }

  close(): void {
    this.#child.kill();
  }

  async #take(length: (buffer: Buffer) => number): Promise<Buffer> {
    for (;;) {
      const bytes = length(this.#buffered);
      if (bytes > 0) {
        const taken = this.#buffered.subarray(0, bytes);
        this.#buffered = this.#buffered.subarray(bytes);
        return taken;
      }
      if (this.#ended) throw new PaasError('internal', 'git cat-file ended early.');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
