/**
 * What a buildpack decided, as plain data; `deploy/` carries it out. Each step is one layer of the image, made in a
 * container from the layers before it. A step's cache key is its parent's key, the step itself and the content of
 * what it reads: a step that was built before, for any app, is not run again. Titles, `cached` and `advice` are words
 * for the pusher and no part of the key.
 */
export interface BuildPlan {
  /** e.g. `Node.js`: for `-----> Node.js app detected` and error lines. */
  name: string;
  steps: BuildStep[];
  /** Default process types, e.g. `{ web: 'npm start' }`; the Procfile's come over them. */
  processes: Record<string, string>;
  /** Environment of the image, below the app's config vars; run steps get it too, below their own `env`. */
  env: Record<string, string>;
}

export type BuildStep = PackageStep | FileStep | RunStep | SourceStep;

/** Unpacks chosen files of an npm package of the registry below `path` in the image. */
export interface PackageStep {
  kind: 'package';
  /** The line after `-----> `, e.g. `Installing Node.js 26.10.0 (engines.node: 26.x)`. */
  title: string;
  package: string;
  /** Exact. */
  version: string;
  /** Absolute folder in the image, e.g. `/usr/local`. */
  path: string;
  /** Paths inside the package (files or folders) to unpack, e.g. `['bin/node']`; undefined: all. */
  include?: string[];
  /** Symbolic links to make afterwards: link path in the image → target, e.g. `{ '/usr/local/bin/npm': '../lib/…' }`. */
  links?: Record<string, string>;
}

/** Writes one file of ours into the image, owned by root; nothing runs. Missing folders above it are made (0755). */
export interface FileStep {
  kind: 'file';
  title: string;
  /** Absolute path in the image. */
  path: string;
  content: string;
  /** Permission bits, e.g. 0o644. */
  mode: number;
}

/** Runs a shell command (`bash -euo pipefail -c`) in /app. */
export interface RunStep {
  kind: 'run';
  title: string;
  command: string;
  /** Files (exact paths from the tree's root) laid into /app before the command; `'source'`: it needs what earlier steps made, the source step included. */
  reads: 'source' | string[];
  /** `root`: root inside, with few capabilities, only for commands of our own (a toolchain from Debian); `app`: the unprivileged user. */
  user: 'app' | 'root';
  network: boolean;
  env?: Record<string, string>;
  /** What the pusher is told when it is cached, e.g. `package-lock.json has not changed`. */
  cached?: string;
  /** What the pusher is told when it fails, beside what it said itself. */
  advice?: string;
}

/** Lays the pushed tree into /app. */
export interface SourceStep {
  kind: 'source';
}
