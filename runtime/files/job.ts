/** What a process of its own does with a folder that may be hostile; the folder is its root by then. */
export type FileJob = UnpackJob | DigestJob | PackJob | ChangesJob | SizesJob;

/** Reads a tar (plain, or compressed by gzip or zstd) from its input and makes files of it. */
export interface UnpackJob {
  kind: 'unpack';
  /** A layer in the OCI's format, with marks of removed files. */
  layer: boolean;
  /** Where in the root folder. */
  path: string;
  owner?: { uid: number; gid: number } | undefined;
  keepKind?: boolean;
  /** The archive's `./` tells owner and mode of the root folder; of a layer it always does. */
  describeRoot?: boolean;
  /** What user 0 of the archive is in the root folder, which others there follow; see user_namespaces(7). */
  ownersFrom?: number;
  budget: { bytes: number; members: number };
}

export interface Unpacked {
  /** `sha256:…` of the tar, uncompressed. */
  digest: string;
  /** Bytes of files. */
  size: number;
  /** Folders of a layer that are still to be marked as opaque; see `Unpacker`. Names are bytes. */
  opaque: string[];
}

/** Reads a tar as `UnpackJob` does, and says what its digest is, uncompressed. */
export interface DigestJob {
  kind: 'digest';
}

/** Writes a tar to its output. */
export interface PackJob {
  kind: 'pack';
  layer: boolean;
  /** What in the root folder; `''`: the folder itself. */
  path: string;
  /** It is a folder that is meant, also behind a symbolic link. */
  follow: boolean;
  /** Without, only its digest and size are of interest. */
  output: boolean;
  /** Under which name in the archive; `''`: what is in the folder, without an entry for itself. */
  as: string;
  sameMount?: boolean;
  /** What user 0 of the archive is in the root folder. */
  ownersFrom?: number;
}

export interface Packed {
  digest: string;
  /** Bytes of the tar. */
  size: number;
}

/** Compares a container's upper folder (the root) with what is below it, if it has anything below. */
export interface ChangesJob {
  kind: 'changes';
}

/** Kind as the Engine API has it: 0 changed, 1 added, 2 removed. */
export type Change = { Path: string; Kind: 0 | 1 | 2 };

/** How many bytes are in the files below each of these folders of the host; of those that are missing, 0. */
export interface SizesJob {
  kind: 'sizes';
  folders: string[];
}

export type Outcome = { result: unknown } | { error: string; code: string };

/** Descriptors of the process. */
export const DESCRIPTOR = { input: 0, output: 1, root: 3, outcome: 4, below: 5 } as const;
