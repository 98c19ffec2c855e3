import type { TerminalSize } from './kernel.ts';

/** What the engine needs of descriptors that node:fs cannot do; implemented by syscall/descriptors.ts. */
export interface Descriptors {
  openPipe(): { read: number; write: number };
  punchHole(fd: number, range: { offset: number; length: number }): void;
  /** The ranges of a file that are no holes. */
  dataRanges(fd: number): { offset: number; length: number }[];
  /** Of the whole file system that `fd` is on. */
  syncFileSystem(fd: number): Promise<void>;
  resizeTerminal(fd: number, size: TerminalSize): void;
}
