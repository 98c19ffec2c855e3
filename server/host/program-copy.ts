import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { tryProgram } from './program.ts';
import { PLATFORM_USER } from './system-user.ts';

/**
 * The folder to start the processes from: the checkout if user paas may read it, else (a clone in /root, a strict umask) a
 * readable copy at `copy`, of what runs only; made anew when something changed.
 */
export async function programFor(checkout: string, copy: string): Promise<string> {
  if (await canRead(checkout)) {
    rmSync(copy, { recursive: true, force: true });
    return checkout;
  }
  const stamp = fingerprint(checkout);
  if (readIfThere(join(copy, STAMP)) === stamp) return copy;
  const unfinished = `${copy}.tmp`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  for (const path of [...SOURCES, ...runtimePackages(checkout)]) {
    cpSync(join(checkout, path), join(unfinished, path), {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !source.endsWith(HEADERS),
    });
  }
  writeFileSync(join(unfinished, STAMP), stamp);
  makeReadable(unfinished);
  rmSync(copy, { recursive: true, force: true });
  await tryProgram(['sync', '-f', unfinished]); // a power cut must not leave a whole name with half the files
  renameSync(unfinished, copy);
  // Into root's cache, for the runtime.
  await tryProgram([process.execPath, join(copy, 'server', 'precompile.ts')]);
  return copy;
}

const SOURCES = ['package.json', 'server', 'deploy', 'runtime', 'buildpacks', 'views'];

/** What Node's package has for compilers: half of all files, and nothing that runs. */
const HEADERS = '/include/node';

const STAMP = '.copied-from';

/** Changes with every source (name, size, time) and every installation of packages. */
function fingerprint(checkout: string): string {
  const files = SOURCES.flatMap((name) => filesBelow(join(checkout, name)));
  const hash = createHash('sha256');
  for (const file of [...files, join(checkout, 'node_modules/.package-lock.json')]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${file} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

function filesBelow(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

function readIfThere(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

async function canRead(checkout: string): Promise<boolean> {
  const user = ['--reuid', PLATFORM_USER, '--regid', PLATFORM_USER, '--init-groups'];
  // find stops at what it may not read; its exit status tells.
  const argv = [
    'setpriv',
    ...user,
    'find',
    ...SOURCES.map((name) => join(checkout, name)),
    '!',
    '-readable',
    '-print',
    '-quit',
  ];
  const looked = await tryProgram(argv as [string, ...string[]]);
  if (looked.status !== 0 || looked.stdout !== '') return false;
  const modules = [
    'setpriv',
    ...user,
    'find',
    join(checkout, 'node_modules'),
    '-maxdepth',
    '1',
    '!',
    '-readable',
    '-print',
    '-quit',
  ];
  const found = await tryProgram(modules as [string, ...string[]]);
  return found.status === 0 && found.stdout === '';
}

/** The packages that are not for development only, e.g. `node_modules/koffi`, outermost folders. */
function runtimePackages(checkout: string): string[] {
  const lock = JSON.parse(readFileSync(join(checkout, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path.startsWith('node_modules/') && !dev)
    .map(([path]) => path)
    .filter((path) => path.lastIndexOf('node_modules/') === 0)
    .filter((path) => lstatSync(join(checkout, path), { throwIfNoEntry: false }) !== undefined);
}

function makeReadable(folder: string): void {
  chownSync(folder, 0, 0);
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    chownSync(path, 0, 0);
    chmodSync(path, entry.isDirectory() || lstatSync(path).mode & 0o100 ? 0o755 : 0o644);
  }
}
