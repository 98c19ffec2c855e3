/** The one door to pushed code: a read-only view of a commit's tree. Paths have no leading slash. */
export interface SourceTree {
  /** Every file's path → its content hash (git blob id). */
  readonly files: ReadonlyMap<string, string>;
  /** The text of a file, undefined where there is none. Throws where it is larger than 1 MiB (5 MiB for lock files). */
  read(path: string): Promise<string | undefined>;
}
