import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const MEGABYTE = 1 << 20;

/**
 * A disk of 48 MB that can begin to report errors, mounted at a folder (needs root, and loop devices):
 *
 *   ext4 at `folder` ── loop device ──(direct I/O)── file ── ext4 ── loop device ── file
 *                                                                        └── becomes shorter: EIO for what is read and written
 *
 * Without a journal ext4 goes on, so that each error reaches who asked; only with one it makes itself read-only on every kernel.
 */
export class FailingDisk {
  readonly folder: string;
  readonly #journal: boolean;
  readonly #below: string;
  readonly #image: string;
  #devices: { upper: string; lower: string } | undefined;

  constructor(folder: string, { journal }: { journal: boolean }) {
    this.folder = folder;
    this.#journal = journal;
    this.#below = `${folder}.below`;
    this.#image = `${folder}.disk`;
  }

  /** Whether this machine can have one. */
  static get isPossible(): boolean {
    return process.getuid?.() === 0 && spawnSync('losetup', ['--find'], { stdio: 'ignore' }).status === 0;
  }

  mount(): void {
    for (const folder of [this.folder, this.#below]) mkdirSync(folder, { recursive: true });
    const disk = `${this.#below}/disk`;
    execFileSync('truncate', ['--size=64M', this.#image]);
    makeFileSystem(this.#image, { journal: false });
    const lower = mountFile(this.#image, this.#below, []);
    copy('/dev/zero', disk, ['count=48', 'oflag=direct', 'conv=fsync']);
    makeFileSystem(disk, { journal: this.#journal });
    this.#devices = { lower, upper: mountFile(disk, this.folder, ['--direct-io=on']) };
  }

  /** From now on what is not in memory can be neither read nor written. */
  fail(): void {
    for (const folder of [this.folder, this.#below]) execFileSync('sync', ['--file-system', folder]);
    copy(this.#image, `${this.#image}.kept`, ['conv=sparse']);
    truncateSync(this.#image, MEGABYTE);
    execFileSync('losetup', ['--set-capacity', this.#devices!.lower]);
  }

  /** It works again, with what was written before it failed. */
  mend(): void {
    copy(`${this.#image}.kept`, this.#image, ['conv=notrunc,sparse']);
    execFileSync('losetup', ['--set-capacity', this.#devices!.lower]);
  }

  /** Takes a file out of the memory, so that the next who reads it needs the disk. */
  forget(path: string): void {
    execFileSync('dd', [`if=${path}`, 'iflag=nocache', 'count=0'], { stdio: 'ignore' });
  }

  /** What ext4 does by itself where it is told to: from now on each write is EROFS, until it is mounted anew. */
  becomeReadOnly(): void {
    execFileSync('sync', ['--file-system', this.folder]);
    execFileSync('mount', ['-o', 'remount,errors=remount-ro', this.folder]);
    writeFileSync(`/sys/fs/ext4/${basename(this.#devices!.upper)}/trigger_fs_error`, 'test');
  }

  /** As somebody does who has looked into it. Nobody may have anything open there. */
  async remount(): Promise<void> {
    await unmount(this.folder);
    // Its status says what it found; what it cannot mend the next mount finds.
    spawnSync('e2fsck', ['-fy', `${this.#below}/disk`], { stdio: 'ignore' });
    this.#devices!.upper = mountFile(`${this.#below}/disk`, this.folder, ['--direct-io=on']);
  }

  async remove(): Promise<void> {
    if (!this.#devices) return;
    for (const folder of [this.folder, this.#below]) {
      await unmount(folder);
      rmSync(folder, { recursive: true });
    }
    for (const path of [this.#image, `${this.#image}.kept`]) rmSync(path, { force: true });
  }
}

function makeFileSystem(file: string, { journal }: { journal: boolean }): void {
  execFileSync('mkfs.ext4', ['-q', '-O', journal ? 'has_journal' : '^has_journal', file]);
}

/** The device goes with the mount. Returns the device. */
function mountFile(file: string, folder: string, options: string[]): string {
  const shown = execFileSync('losetup', [...options, '--find', '--show', file], { encoding: 'utf8' });
  const device = shown.trim();
  execFileSync('mount', ['-o', 'errors=continue', device, folder]);
  // It goes when nobody has it open any more.
  execFileSync('losetup', ['--detach', device]);
  return device;
}

function copy(from: string, to: string, options: string[]): void {
  execFileSync('dd', [`if=${from}`, `of=${to}`, 'bs=1M', ...options], { stdio: 'ignore' });
}

/** Who has it open ends a moment later, perhaps. */
async function unmount(folder: string): Promise<void> {
  const isBusy = () => spawnSync('umount', [folder], { stdio: 'ignore' }).status !== 0;
  for (let tries = 0; isBusy(); tries++) {
    if (tries === 100) throw new Error(`"${folder}" stays busy.`);
    await sleep(100);
  }
}
