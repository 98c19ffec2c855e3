/** Whoever a wire belongs to. */
export interface WireUser {
  /** Something was read. Whoever called it reuses `bytes`: what is to last must be copied. */
  read(bytes: Buffer, length: number): void;
  /** The other side will send nothing more. */
  ended(): void;
  /** All that was written is on its way, after a time in which the wire was blocked. */
  drained(): void;
  /** All that was written is on its way, and the end after it. */
  finished?(): void;
  /** The last that is heard of it; never called from within a call to the wire. `broken`: by an error. */
  closed(broken: boolean): void;
  connected?(): void;
}

/** Where a server listens: a dyno's address, or a unix socket. */
export type Address = { host: string; port: number } | { path: string };

/** A connection below HTTP. */
export interface Wire {
  /** The other side does not take what was written; whoever brings more should wait for drained(). */
  readonly blocked: boolean;
  /** Neither side has ended or broken it. */
  readonly open: boolean;
  /** Something that was written is not on its way yet. */
  readonly sending: boolean;
  /** `text`: one character a byte. */
  write(text: string): void;
  /** Writes the first bytes of a read. */
  writeRead(bytes: Buffer, length: number): void;
  /** Writes a head, if any, and bytes of a read in one system call. */
  writeBoth(head: string, bytes: Buffer): void;
  /** The same with bytes in several places. */
  writeAll(head: string, pieces: Buffer[]): void;
  pause(): void;
  resume(): void;
  /** Writes this, if anything, and that it was the last; the other side may still send. */
  end(text?: string): void;
  /** Closes it when what was written is on its way. */
  destroySoon(): void;
  /** The same, so that the other side can take it for an orderly end. */
  closeSoon(): void;
  /** Closes it now. */
  destroy(): void;
  /** Closes it so that the other side cannot take it for an orderly end. */
  reset(): void;
}
