import { posix } from 'node:path';
import { BuildpackError } from '../buildpack.ts';
import type { SourceTree } from '../source-tree.ts';

/** What of requirements.txt, and the files that it includes, decides about an install. */
export interface Requirements {
  /** Every file of the tree that the install reads: lists, constraints, vendored packages. */
  reads: string[];
  /** It names parts of the app's own source (`-e .`), so it can only be installed after that. */
  needsSource: boolean;
  /** Folders with vendored packages that requirements.txt does not name itself. */
  vendored: string[];
  /** Nothing has to come from an index. */
  offline: boolean;
}

/** Folders whose wheels and source archives stand in for the index. */
const vendorFolders = ['wheels', 'wheelhouse', 'vendor'];
const archive = /\.(whl|tar\.gz|tgz|zip)$/;

/**
 * Reads requirements.txt, following `-r` and `-c` (pip.pypa.io/en/stable/reference/requirements-file-format). Vendored
 * packages count as complete when every requirement has one: then pip gets no index at all. Throws `BuildpackError` for
 * what the build cannot fetch.
 */
export async function readRequirements(tree: SourceTree): Promise<Requirements> {
  const lines = await readLines(tree, ['requirements.txt']);
  const named = lines.flatMap(({ kind, value }) => (kind === 'find-links' ? [value] : []));
  const vendored = vendorFolders.filter((folder) => archivesIn(tree, folder).length > 0);
  const archives = [...named, ...vendored].flatMap((folder) => archivesIn(tree, folder));
  const local = lines.flatMap(({ kind, value }) => (kind === 'path' ? [value] : []));
  const supplied = new Set(archives.map(nameOfArchive));
  const wanted = lines.flatMap(({ kind, value }) => (kind === 'package' ? [value] : []));
  return {
    reads: [...new Set([...lines.map(({ file }) => file), ...local, ...archives])].filter((path) =>
      tree.files.has(path),
    ),
    needsSource: local.some((path) => !tree.files.has(path)),
    vendored: vendored.filter((folder) => !named.includes(folder)),
    offline:
      lines.some(({ kind }) => kind === 'no-index') ||
      (archives.length > 0 && wanted.every((name) => supplied.has(name))),
  };
}

interface Line {
  /** The list that it stands in. */
  file: string;
  kind: 'package' | 'path' | 'find-links' | 'no-index' | 'other';
  /** A normalised package name, or a path from the tree's root. */
  value: string;
}

async function readLines(tree: SourceTree, queue: string[]): Promise<Line[]> {
  const lines: Line[] = [];
  const seen = new Set<string>();
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = await tree.read(file);
    if (text === undefined)
      throw new BuildpackError(`"${file}", which requirements.txt includes, is not there.`);
    lines.push({ file, kind: 'other', value: '' });
    for (const line of logicalLines(text)) {
      const included = /^(?:-r|-c|--requirement|--constraint)[\s=]*(\S+)/.exec(line)?.[1];
      if (included !== undefined) queue.push(resolvePath(file, included));
      else lines.push(parseLine(line, file));
    }
  }
  return lines;
}

function logicalLines(text: string): string[] {
  const joined = text.replace(/^\uFEFF/, '').replaceAll(/\\\r?\n/g, ' ');
  return joined
    .split(/\r?\n/)
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');
}

function parseLine(line: string, file: string): Line {
  const links = /^(?:-f|--find-links)[\s=]*(\S+)/.exec(line)?.[1];
  if (links !== undefined) {
    return /^https?:/.test(links)
      ? { file, kind: 'other', value: '' }
      : { file, kind: 'find-links', value: resolvePath(file, links) };
  }
  if (/^--no-index\b/.test(line)) return { file, kind: 'no-index', value: '' };
  const target = line.replace(/^(-e|--editable)[\s=]*/, '').split(/\s/)[0]!;
  if (/(^|@\s*)git\+/.test(line)) throw new BuildpackError(gitRequirement(file, line));
  if (/^(\.|\/|file:)/.test(target) || (archive.test(target) && !/^https?:/.test(target))) {
    return { file, kind: 'path', value: resolvePath(file, target.replace(/\[.*\]$/, '')) };
  }
  const name = /^[A-Za-z0-9][A-Za-z0-9._-]*/.exec(target)?.[0];
  if (name === undefined || /^https?:/.test(target)) return { file, kind: 'other', value: '' };
  return { file, kind: 'package', value: normalised(name) };
}

function gitRequirement(file: string, line: string): string {
  return [
    `${file}: "${line}" needs git, which builds do not have.`,
    'Name an archive instead, e.g. https://github.com/OWNER/NAME/archive/COMMIT.tar.gz',
  ].join('\n');
}

function resolvePath(file: string, target: string): string {
  const path = posix.join(posix.dirname(file), target.replace(/^file:(\/\/)?/, ''));
  if (path.startsWith('/') || path === '..' || path.startsWith('../')) {
    throw new BuildpackError(`${file}: "${target}" is outside of the repository.`);
  }
  return path.replace(/\/+$/, '');
}

function archivesIn(tree: SourceTree, folder: string): string[] {
  return [...tree.files.keys()].filter((path) => posix.dirname(path) === folder && archive.test(path));
}

function nameOfArchive(path: string): string {
  const base = posix.basename(path);
  return normalised(base.endsWith('.whl') ? base.split('-')[0]! : base.replace(/-\d[^-]*$/, ''));
}

/** packaging.python.org/en/latest/specifications/name-normalization */
function normalised(name: string): string {
  return name.replaceAll(/[-_.]+/g, '-').toLowerCase();
}
