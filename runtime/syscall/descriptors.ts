import { SystemCallError, systemCall, systemCallAsync } from './system-call.ts';

const O_CLOEXEC = 0o2000000;
const FALLOC_FL_KEEP_SIZE = 1;
const FALLOC_FL_PUNCH_HOLE = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const TIOCSWINSZ = 0x5414;

/** A new pipe, close-on-exec; see pipe(2). */
export function openPipe(): { read: number; write: number } {
  const pair = new Int32Array(2);
  systemCall('pipe2', new Uint8Array(pair.buffer), O_CLOEXEC);
  return { read: pair[0]!, write: pair[1]! };
}

/** Gives the blocks of this range back to the file system; the file's size stays. See fallocate(2). */
export function punchHole(fd: number, range: { offset: number; length: number }): void {
  systemCall('fallocate', fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, range.offset, range.length);
}

/** Takes blocks for this range from the file system, so that writing there finds room; the file's size stays. Throws ENOSPC, EOPNOTSUPP. See fallocate(2). */
export function reserve(fd: number, range: { offset: number; length: number }): void {
  systemCall('fallocate', fd, FALLOC_FL_KEEP_SIZE, range.offset, range.length);
}

/** The ranges of a file that are no holes; see lseek(2). */
export function dataRanges(fd: number): { offset: number; length: number }[] {
  const ranges = [];
  for (let at = 0; ; ) {
    const offset = seekData(fd, at);
    if (offset === undefined) return ranges;
    at = systemCall('lseek', fd, offset, SEEK_HOLE);
    ranges.push({ offset, length: at - offset });
  }
}

/** Writes everything of the file system that `fd` is on to the disk, off the event loop. See syncfs(2). */
export async function syncFileSystem(fd: number): Promise<void> {
  await systemCallAsync('syncfs', fd);
}

/** Tells a terminal (either side) its size; its foreground processes get SIGWINCH. See tty_ioctl(4). */
export function resizeTerminal(fd: number, size: { rows: number; columns: number }): void {
  systemCall(
    'ioctl',
    fd,
    TIOCSWINSZ,
    new Uint8Array(new Uint16Array([size.rows, size.columns, 0, 0]).buffer),
  );
}

function seekData(fd: number, from: number): number | undefined {
  try {
    return systemCall('lseek', fd, from, SEEK_DATA);
  } catch (error) {
    if (error instanceof SystemCallError && error.code === 'ENXIO') return undefined;
    throw error;
  }
}
