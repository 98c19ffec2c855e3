// A process for one job with files that are not ours to trust: as root it makes files with any owner, so it is confined. It is
// started with few capabilities (see capabilities.ts) and without any way to more, its only folder is the one that it works in
// (chroot: no /proc, no device, no program is there), and it has no connection to anything but its descriptors (job.ts). So
// neither an archive nor whoever changes the folder meanwhile can reach a file of the host through it, not even by a mistake in a library
// that unpacks for us. It loads what it needs before that.
import { createHash } from 'node:crypto';
import { createReadStream, readSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { EngineError } from '../engine-error.ts';
import { confineTo, enterFolder, openFolder } from '../syscall/folder.ts';
import { makeFilesAs } from '../syscall/identity.ts';
import { listChanges } from './changes.ts';
import {
  DESCRIPTOR,
  type FileJob,
  type Outcome,
  type Packed,
  type PackJob,
  type Unpacked,
  type UnpackJob,
} from './job.ts';
import { memberPath, splitPath } from './member-path.ts';
import { Packer } from './packer.ts';
import { folderSize } from './sizes.ts';
import { TarReader } from './tar-reader.ts';
import { Unpacker } from './unpacker.ts';

process.umask(0);
try {
  tell({ result: await run(JSON.parse(process.argv[2]!) as FileJob) });
} catch (error) {
  const { message, code } = error as NodeJS.ErrnoException;
  tell({ error: message, code: error instanceof EngineError ? error.code : (code ?? 'internal') });
}

async function run(job: FileJob): Promise<unknown> {
  if (job.kind === 'sizes') return job.folders.map(folderSize);
  confineTo(DESCRIPTOR.root);
  switch (job.kind) {
    case 'unpack':
      return unpack(job);
    case 'digest':
      return digest();
    case 'pack':
      return pack(job);
    case 'changes':
      return listChanges(DESCRIPTOR.root, DESCRIPTOR.below);
  }
}

async function unpack(job: UnpackJob): Promise<Unpacked> {
  const root = openFolder(DESCRIPTOR.root, job.path);
  const { layer, owner, keepKind = false, describeRoot = layer, ownersFrom = 0, budget } = job;
  if (ownersFrom > 0) makeFilesAs(ownersFrom);
  const unpacker = new Unpacker(root, { layer, owner, keepKind, describeRoot, ownersFrom, budget });
  const reader = new TarReader(unpacker);
  const hash = createHash('sha256');
  for await (const chunk of decompressed()) {
    hash.update(chunk);
    reader.push(chunk);
  }
  reader.finish();
  unpacker.finish();
  return { digest: `sha256:${hash.digest('hex')}`, size: unpacker.bytes, opaque: [...unpacker.opaque] };
}

async function digest(): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of decompressed()) hash.update(chunk);
  return `sha256:${hash.digest('hex')}`;
}

/** The input; what it is compressed with is seen from its first bytes. */
function decompressed(): Readable {
  const start = Buffer.alloc(6);
  let length = 0;
  while (length < start.length) {
    const got = readSync(DESCRIPTOR.input, start, length, start.length - length, null);
    if (got === 0) break;
    length += got;
  }
  const input = createReadStream('', { fd: DESCRIPTOR.input, highWaterMark: 256 * 1024 });
  const magic = start.toString('latin1', 0, length);
  const through = decompressor(magic);
  const head = start.subarray(0, length);
  if (!through) {
    input.unshift(head);
    return input;
  }
  through.write(head);
  input.on('error', (error) => through.destroy(error));
  return input.pipe(through);
}

function decompressor(magic: string) {
  if (magic.startsWith('\x1f\x8b')) return createGunzip();
  if (magic.startsWith('\x28\xb5\x2f\xfd')) return createZstdDecompress();
  const other = magic.startsWith('BZh') ? 'bzip2' : magic.startsWith('\xfd7zXZ') ? 'xz' : undefined;
  if (other)
    throw new EngineError('invalid', `The archive is compressed with ${other}: use gzip or zstd, or none.`);
  return undefined;
}

function pack(job: PackJob): Packed {
  const hash = createHash('sha256');
  let size = 0;
  const write = (bytes: Buffer) => {
    if (job.layer) hash.update(bytes);
    size += bytes.length;
    for (let at = 0; job.output && at < bytes.length; ) at += writeSync(DESCRIPTOR.output, bytes, at);
  };
  const { layer, sameMount = false, ownersFrom = 0 } = job;
  const packer = new Packer({ layer, sameMount, ownersFrom, write });
  if (job.as === '') packer.folder(openFolder(DESCRIPTOR.root, job.path), '');
  else if (job.follow) packer.tree(openFolder(DESCRIPTOR.root, job.path), job.as);
  else packMember(packer, job);
  packer.end();
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

function packMember(packer: Packer, { path, as }: PackJob): void {
  const { parent, name } = splitPath(memberPath(path));
  enterFolder(openFolder(DESCRIPTOR.root, parent));
  packer.member(name, as);
}

/** A runtime that was killed hears nothing any more. */
function tell(outcome: Outcome): void {
  const bytes = Buffer.from(JSON.stringify(outcome));
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(DESCRIPTOR.outcome, bytes, at);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
  }
}
