import { closeSync, existsSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { EngineError } from '../../engine-error.ts';
import type { Descriptors } from '../descriptors.ts';
import { loopDevicesOf } from './loop-usage.ts';
import { runTool } from './tool.ts';

/** Templates kept in memory, some 150 KB each: one for each size that is in use. */
const MAX_TEMPLATES = 4;
const DETACH_MILLISECONDS = 10_000;
const DETACH_STEP = 20;

/** The ext4 superblock (kernel: ext4/super.rst): s_state, bit 0: it was unmounted properly. */
const STATE_AT = 1024 + 0x3a;
const CLEAN = 1;
/** e2fsck(8): 0 clean, 1 and 2 corrected. */
const MAX_CORRECTED = 3;

type Template = { offset: number; bytes: Buffer }[];

/**
 * The files that are the disks of containers with a size limit: ext4 without journal, sparse. Such a file is only ever written
 * through the kernel's ext4, so its structure can be trusted. A new one is a copy of a template's few hundred KB.
 */
export class DiskImages {
  readonly #descriptors: Pick<Descriptors, 'dataRanges'>;
  readonly #templates = new Map<number, Promise<Template>>();

  constructor(descriptors: Pick<Descriptors, 'dataRanges'>) {
    this.#descriptors = descriptors;
  }

  /**
   * Makes the disk at `path` ready to be mounted: a new one if there is none or it shall be `fresh`; else as the last run left it.
   * Throws `unavailable` if it is mounted still, or damaged beyond repair.
   */
  async prepare(path: string, options: { size: number; fresh: boolean }): Promise<void> {
    if (!options.fresh && existsSync(path)) {
      await untilDetached(path);
      if (!isClean(path)) await repair(path);
    } else {
      rmSync(path, { force: true });
      writeImage(path, options.size, await this.#template(path, options.size));
    }
  }

  #template(path: string, size: number): Promise<Template> {
    const known = this.#templates.get(size) ?? this.#makeTemplate(`${path}.template`, size);
    this.#templates.delete(size);
    this.#templates.set(size, known);
    const [oldest] = this.#templates.keys();
    if (this.#templates.size > MAX_TEMPLATES) this.#templates.delete(oldest!);
    known.catch(() => this.#templates.delete(size));
    return known;
  }

  async #makeTemplate(path: string, size: number): Promise<Template> {
    try {
      await runTool('mke2fs', [...FORMAT, path, `${size / 1024}k`]);
      const fd = openSync(path, 'r');
      try {
        return this.#descriptors.dataRanges(fd).map(({ offset, length }) => {
          const bytes = Buffer.allocUnsafeSlow(length);
          readSync(fd, bytes, 0, length, offset);
          return { offset, bytes };
        });
      } finally {
        closeSync(fd);
      }
    } finally {
      rmSync(path, { force: true });
    }
  }
}

/** The kernel unmounts it when the container's last process is gone, and has still to write to it then. */
async function untilDetached(path: string): Promise<void> {
  const end = Date.now() + DETACH_MILLISECONDS;
  while (loopDevicesOf(path).length > 0) {
    if (Date.now() > end) throw new EngineError('unavailable', `The disk "${path}" is still in use.`);
    await new Promise((resolve) => setTimeout(resolve, DETACH_STEP));
  }
}

/**
 * mke2fs(8): no journal, no blocks kept for root, an inode for 8 KiB, nothing written that need not be. A file system on which there may be
 * encryption has pages of 4 KiB in memory only: to free folios of megabytes (ext4 since Linux 6.16) takes the kernel milliseconds at a time in which
 * nobody else has the processor. Nobody can encrypt anything: overlayfs passes no such ioctl on.
 */
const FORMAT = [
  ...[
    '-q',
    '-F',
    '-t',
    'ext4',
    '-b',
    '4096',
    '-O',
    '^has_journal,^resize_inode,encrypt',
    '-m',
    '0',
    '-i',
    '8192',
    '-I',
    '256',
  ],
  ...['-e', 'continue', '-E', 'lazy_itable_init=1,nodiscard,root_owner=0:0'],
];

function writeImage(path: string, size: number, template: Template): void {
  const fd = openSync(path, 'wx', 0o600);
  try {
    ftruncateSync(fd, size);
    for (const { offset, bytes } of template) writeSync(fd, bytes, 0, bytes.length, offset);
  } finally {
    closeSync(fd);
  }
}

function isClean(path: string): boolean {
  const fd = openSync(path, 'r');
  try {
    const state = Buffer.alloc(2);
    readSync(fd, state, 0, 2, STATE_AT);
    return (state.readUInt16LE() & CLEAN) !== 0;
  } finally {
    closeSync(fd);
  }
}

/** After a power cut. */
async function repair(path: string): Promise<void> {
  await runTool('e2fsck', ['-f', '-y', path], MAX_CORRECTED);
}
