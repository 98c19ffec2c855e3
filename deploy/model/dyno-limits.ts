/** What one dyno may have; what is not said is as it is by default. */
export interface DynoLimits {
  /** Bytes. */
  memory?: number;
  /** Cores, e.g. 0.5; by default as many as are free. */
  cpu?: number;
}

/** Bytes. */
export const DEFAULT_MEMORY = 1024 ** 3;
