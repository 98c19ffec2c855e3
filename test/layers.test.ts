import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'mocha';

const ROOT = dirname(import.meta.dirname);

/** What every process may have: it imports nothing but these. */
const PLAIN = [
  /^server\/(config|host-networks|idle-memory|unexpected-rejections)\.ts$/,
  /^deploy\/model\/paas-error\.ts$/,
];

/** Whoever is in `files` may import only what matches `may` (of ours) and `packages` (of others; node: is always allowed). */
const LAYERS: { files: RegExp; may: RegExp[]; packages: string[] | 'any' }[] = [
  { files: /^runtime\/syscall\//, may: [/^runtime\/syscall\//], packages: ['koffi'] },
  { files: /^runtime\//, may: [/^runtime\//], packages: [] },
  { files: /^buildpacks\//, may: [/^buildpacks\//], packages: ['semver'] },
  { files: /^deploy\//, may: [/^deploy\//, /^buildpacks\//], packages: 'any' },
  {
    files: /^server\/router(\/|\.ts$)/,
    may: [/^server\/router\//, ...PLAIN],
    packages: [],
  },
  // Started by whoever has no other process yet, and lean: no packages.
  {
    files: /^server\/(main\.ts$|host\/)/,
    may: [/^server\/host\//, ...PLAIN],
    packages: [],
  },
  // Uses the platform as a user would: git, ssh and HTTP.
  {
    files: /^server\/demo\//,
    may: [/^server\/(demo|cli)\//, /^server\/(config|host-networks)\.ts$/, /^deploy\/model\//],
    packages: [],
  },
  // The local client knows the commands from their definitions, and goes through ssh like everybody else.
  {
    files: /^server\/cli\//,
    may: [/^server\/(cli|commands)\//, /^deploy\/model\//],
    packages: [],
  },
  {
    files: /^server\/precompile\.ts$/,
    may: [/^server\//, /^runtime\/(daemon|files\/process)\.ts$/],
    packages: [],
  },
  { files: /^server\//, may: [/^server\//, /^deploy\//], packages: 'any' },
];

const COMPOSITION_ROOTS = [
  'server/main.ts',
  'server/control.ts',
  'server/router.ts',
  'runtime/daemon.ts',
  'runtime/files/process.ts',
];

// Compiles every program without running it.
const PRECOMPILE = 'server/precompile.ts';

describe('layers', () => {
  const sources = ['runtime', 'buildpacks', 'deploy', 'server'].flatMap(sourcesBelow);

  it('every import is one that the layer of the file may have', () => {
    const wrong = sources.flatMap((file) =>
      importsOf(file)
        .filter((wanted) => !isAllowed(file, wanted))
        .map((wanted) => `${file} imports ${wanted}`),
    );
    assert.deepEqual(wrong, []);
  });

  it('nobody imports a composition root', () => {
    const wrong = sources.filter(
      (file) => file !== PRECOMPILE && importsOf(file).some((wanted) => COMPOSITION_ROOTS.includes(wanted)),
    );
    assert.deepEqual(wrong, []);
  });

  it('only runtime/syscall loads the FFI library', () => {
    const wrong = sources.filter(
      (file) => !file.startsWith('runtime/syscall/') && importsOf(file).includes('koffi'),
    );
    assert.deepEqual(wrong, []);
  });

  it('isAllowed() catches a planted import', () => {
    assert.ok(!isAllowed('runtime/api/x.ts', 'deploy/engine.ts'));
    assert.ok(!isAllowed('deploy/x.ts', 'runtime/settings.ts'));
    assert.ok(!isAllowed('buildpacks/x.ts', 'koffi'));
    assert.ok(!isAllowed('server/router/x.ts', 'deploy/store/store.ts'));
    assert.ok(isAllowed('server/http/x.ts', 'deploy/platform.ts'));
    assert.deepEqual(findImports("import { a } from '../b.ts';\nawait import('./c.ts');"), [
      '../b.ts',
      './c.ts',
    ]);
  });
});

describe('host programs', () => {
  const sources = ['runtime', 'buildpacks', 'deploy', 'server'].flatMap(sourcesBelow);

  it('no shell: neither exec(), execSync() nor the option `shell`', () => {
    const wrong = sources.filter((file) => usesShell(readFileSync(join(ROOT, file), 'utf8')));
    assert.deepEqual(wrong, []);
  });

  it('usesShell() catches a planted shell, and leaves RegExp.exec() alone', () => {
    assert.ok(usesShell("import { exec, spawn } from 'node:child_process';"));
    assert.ok(usesShell("import { execSync as run } from 'child_process';"));
    assert.ok(usesShell("spawn('ls', { shell: true })"));
    assert.ok(usesShell("spawn('ls', { shell: '/bin/bash' })"));
    assert.ok(usesShell("childProcess.exec('ls')"));
    assert.ok(
      !usesShell("import { execFile, spawn } from 'node:child_process'; /a/.exec('a'); { shell: false }"),
    );
  });
});

function usesShell(text: string): boolean {
  const imports = /import\s+(?:type\s+)?\{([^}]*)\}\s+from\s+'(?:node:)?child_process'/g;
  const named = [...text.matchAll(imports)].some((match) => /\bexec(Sync)?\b/.test(match[1] ?? ''));
  return (
    named ||
    /\bshell:\s*(true\b|['"`])/.test(text) ||
    /\bexecSync\s*\(/.test(text) ||
    /\b(child_?process|cp)\.exec\s*\(/i.test(text)
  );
}

function isAllowed(file: string, wanted: string): boolean {
  if (wanted.startsWith('node:')) return true;
  const layer = LAYERS.find(({ files }) => files.test(file));
  if (!layer) return false;
  if (/^(runtime|buildpacks|deploy|server)\//.test(wanted))
    return layer.may.some((pattern) => pattern.test(wanted));
  return layer.packages === 'any' ? wanted !== 'koffi' : layer.packages.includes(wanted);
}

/** What a source imports: paths from the project's folder, or names of packages. */
function importsOf(file: string): string[] {
  return findImports(readFileSync(join(ROOT, file), 'utf8')).map((name) =>
    name.startsWith('.') ? normalize(join(dirname(file), name)) : name,
  );
}

function findImports(text: string): string[] {
  return [...text.matchAll(/(?:\bfrom\s+|^import\s+|\bimport\()'([^']+)'/gm)].map((match) => match[1] ?? '');
}

function sourcesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}
