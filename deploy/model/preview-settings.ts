export interface PreviewSettings {
  /** How many at once. */
  limit: number;
  /** Seconds after the last push. */
  ttl: number;
  /** The config vars that a preview gets; undefined: all. */
  keys: string[] | undefined;
}
