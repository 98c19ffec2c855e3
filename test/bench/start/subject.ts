/** A way to start sleeping shells that is measured, ours or a peer's. */
export interface Subject {
  name: string;
  /** What of isolation it includes. */
  includes: string;
  /** Starts a shell with this token; resolves when the runtime says that it runs. Returns how it is removed. */
  start(token: string): Promise<string>;
  remove(started: string): Promise<void>;
  close(): Promise<void>;
}
