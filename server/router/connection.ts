/** A client's connection, whatever is spoken on it. */
export interface Connection {
  /** The client's address. */
  readonly peer: string;
  /** Nobody would miss it. */
  readonly isIdle: boolean;
  /** Does not end by itself. */
  readonly isTunnel: boolean;
  tick(now: number): void;
  /** Another router takes the requests that are not here yet. */
  leave(): void;
  /** Says goodbye and closes. */
  finish(): void;
  destroy(): void;
}
