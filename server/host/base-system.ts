import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { debianMirrors } from './mirrors.ts';
import { runProgram, tryProgram } from './program.ts';
import { withProgress } from './progress.ts';

/** What all instances of a machine share; of root. */
export const SHARED_CACHE = '/var/cache/paas';

/** The user that apps run as, in every container. */
export const APP_USER = { name: 'app', id: 70000, home: '/app' };

/**
 * Where this machine's base system is, or would be: the name carries a hash of the recipe and of the certificates that
 * the machine's administrator added, so that a change of either makes a new one.
 */
export function baseSystemFolder(): string {
  const hash = createHash('sha256').update(JSON.stringify(RECIPE));
  for (const file of localCertificates()) hash.update(readFileSync(file));
  return join(SHARED_CACHE, `base-debian-12-${hash.digest('hex').slice(0, 12)}`);
}

/** Makes the base system unless it is there. Returns its folder. Throws `unavailable`. The caller holds the set-up lock. */
export async function ensureBaseSystem(): Promise<string> {
  const folder = baseSystemFolder();
  if (existsSync(folder)) return folder;
  mkdirSync(SHARED_CACHE, { recursive: true, mode: 0o755 });
  removeUnfinished();
  const unfinished = `${folder}.tmp`;
  await withProgress(
    'making the base system of the apps (Debian 12, about 150 MB, once for this machine)',
    async (onLine) => {
      try {
        await bootstrap(unfinished, onLine);
        await trustHostCertificates(unfinished);
        await addAppUser(unfinished);
        removeHostTraces(unfinished);
        removeSetuid(unfinished);
        await tryProgram(['sync', '-f', unfinished]); // a power cut must not leave a whole name with half the files
        renameSync(unfinished, folder);
      } catch (error) {
        rmSync(unfinished, { recursive: true, force: true });
        throw error;
      }
    },
  );
  return folder;
}

// Change anything here and every machine makes its base system anew.
const RECIPE = {
  version: 2,
  suite: 'bookworm',
  variant: 'minbase',
  // libatomic1: the official Node.js binary needs it since 26, and minbase has none.
  packages: ['ca-certificates', 'bash', 'coreutils', 'tar', 'libatomic1'],
  left_out: [
    '/usr/share/man/*',
    '/usr/share/doc/*',
    '/usr/share/info/*',
    '/usr/share/locale/*/LC_MESSAGES/*',
  ],
};
const BUNDLE = '/etc/ssl/certs/ca-certificates.crt';
const LOCAL_CERTIFICATES = '/usr/local/share/ca-certificates';

async function bootstrap(folder: string, onLine: (line: string) => void): Promise<void> {
  const aptOptions = await proxyOptions();
  await runProgram(
    'make the base system (is there a network? a mirror of Debian can be set with PAAS_DEBIAN_MIRROR)',
    [
      // It mounts /proc and /sys: in a namespace of its own, so that removing a half-made system can never reach the host's.
      'unshare',
      '--mount',
      '--',
      'mmdebstrap',
      '--mode=root',
      '--format=directory',
      `--variant=${RECIPE.variant}`,
      `--include=${RECIPE.packages.join(',')}`,
      ...RECIPE.left_out.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
      '--dpkgopt=path-include=/usr/share/doc/*/copyright',
      ...aptOptions.map((line) => `--aptopt=${line}`),
      RECIPE.suite,
      folder,
      ...debianMirrors(RECIPE.suite, process.env),
    ],
    { onLine },
  );
  rmSync(join(folder, 'etc/apt/apt.conf.d/99mmdebstrap'), { force: true });
}

/** The host's own apt settings that decide whether Debian can be reached at all. */
async function proxyOptions(): Promise<string[]> {
  const { status, stdout } = await tryProgram(['apt-config', 'dump']);
  if (status !== 0) return [];
  return stdout
    .split('\n')
    .filter((line) => /^Acquire::(https?::Proxy|https?::CaInfo|Check-Valid-Until)\b.* ".+";$/i.test(line));
}

// Company networks re-sign TLS: what the host trusts, builds must trust.
async function trustHostCertificates(folder: string): Promise<void> {
  const target = join(folder, LOCAL_CERTIFICATES);
  mkdirSync(target, { recursive: true });
  for (const file of localCertificates()) {
    copyFileSync(file, join(target, file.slice(LOCAL_CERTIFICATES.length + 1).replaceAll('/', '_')));
  }
  await runProgram("make the base system's list of certificates", [
    'chroot',
    folder,
    'update-ca-certificates',
  ]);
  const bundle = join(folder, BUNDLE);
  const known = new Set(certificatesIn(bundle));
  const more = certificatesIn(BUNDLE).filter((certificate) => !known.has(certificate));
  appendFileSync(bundle, more.map((certificate) => `${certificate}\n`).join(''));
}

function localCertificates(): string[] {
  if (!existsSync(LOCAL_CERTIFICATES)) return [];
  return readdirSync(LOCAL_CERTIFICATES, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.crt'))
    .sort()
    .map((name) => join(LOCAL_CERTIFICATES, name));
}

function certificatesIn(bundle: string): string[] {
  if (!existsSync(bundle)) return [];
  return (
    readFileSync(bundle, 'utf8').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  );
}

async function addAppUser(folder: string): Promise<void> {
  const { name, id, home } = APP_USER;
  const what = 'add the user of the apps to the base system';
  await runProgram(what, ['chroot', folder, 'groupadd', '--gid', `${id}`, name]);
  await runProgram(what, [
    ...['chroot', folder, 'useradd', '--uid', `${id}`, '--gid', `${id}`, '--home-dir', home],
    ...['--no-create-home', '--shell', '/bin/bash', '--key', `UID_MAX=${id}`, name],
  ] as [string, ...string[]]);
  await runProgram(what, ['install', '-d', '-m', '755', '-o', `${id}`, '-g', `${id}`, join(folder, home)]);
}

function removeHostTraces(folder: string): void {
  // A container's own are mounted over these: where there is none, each start has to make it.
  for (const name of ['etc/hosts', 'etc/hostname', 'etc/resolv.conf']) {
    rmSync(join(folder, name), { force: true });
    writeFileSync(join(folder, name), '', { mode: 0o644 });
  }
  for (const name of ['etc/passwd-', 'etc/group-', 'etc/shadow-', 'etc/gshadow-']) {
    rmSync(join(folder, name), { force: true });
  }
  for (const name of [
    'dev',
    'tmp',
    'run',
    'var/log',
    'var/lib/apt/lists',
    'var/cache/apt',
    'var/cache/debconf',
  ]) {
    for (const entry of readdirSync(join(folder, name))) {
      rmSync(join(folder, name, entry), { recursive: true, force: true });
    }
  }
  writeFileSync(join(folder, 'etc/machine-id'), '');
}

// In containers they have no effect (no_new_privs); on the host they would be old root programs for anyone to run.
function removeSetuid(folder: string): void {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const { mode } = lstatSync(file);
    if (mode & 0o6000) chmodSync(file, mode & 0o1777);
  }
}

function removeUnfinished(): void {
  for (const name of readdirSync(SHARED_CACHE)) {
    if (/^base-.*\.tmp$/.test(name)) rmSync(join(SHARED_CACHE, name), { recursive: true, force: true });
  }
}

/** The base system, for processes that need it made already. Throws `unavailable`. */
export function requireBaseSystem(): string {
  const folder = baseSystemFolder();
  if (existsSync(folder)) return folder;
  throw new PaasError(
    'unavailable',
    'The base system of the apps is not there. Make it with: sudo npm start',
  );
}
