import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PaasError } from '../model/paas-error.ts';
import { renameSynced } from '../synced-rename.ts';

const LIST_LIFE = 86_400_000;
const NPM_TIMEOUT = 300_000;
const DOWNLOAD = '.pack-';

/**
 * npm's registry, asked by the host's own npm with its settings (registry, proxy, CA): version lists, kept for a
 * day, and package archives, kept for good.
 */
export class NpmRegistry {
  #folder: string;
  #npmrc: string;
  #asking = new Map<string, Promise<string[]>>();

  constructor(options: { folder: string; npmrc: string }) {
    this.#folder = options.folder;
    this.#npmrc = options.npmrc;
  }

  /** Takes away what downloads that were cut off left; once at start, when none runs. */
  async prepare(): Promise<void> {
    const names = await readdir(this.#folder).catch(() => []);
    for (const name of names.filter((name) => name.startsWith(DOWNLOAD))) {
      await rm(join(this.#folder, name), { recursive: true, force: true });
    }
  }

  /** All published versions. A list over a day old is used once more while a new one is fetched. */
  async versions(name: string): Promise<string[]> {
    const file = join(this.#folder, `${fileName(name)}.versions.json`);
    const age = await stat(file).then(
      (info) => Date.now() - info.mtimeMs,
      () => undefined,
    );
    if (age === undefined) return this.#fetchVersions(name, file);
    if (age > LIST_LIFE) this.#fetchVersions(name, file).catch(() => {});
    return JSON.parse(await readFile(file, 'utf8'));
  }

  /** Path of the package's archive (.tgz), checked by npm against the registry's integrity hash. */
  async archive(name: string, version: string): Promise<string> {
    const file = join(this.#folder, `${fileName(name)}-${version}.tgz`);
    if (existsSync(file)) return file;
    await mkdir(this.#folder, { recursive: true });
    const folder = await mkdtemp(join(this.#folder, DOWNLOAD));
    try {
      await this.#npm([
        'pack',
        `${name}@${version}`,
        '--ignore-scripts',
        '--silent',
        '--pack-destination',
        folder,
      ]);
      const [packed] = await readdir(folder);
      if (!packed) throw new PaasError('unavailable', `npm brought no archive of ${name}@${version}.`);
      await renameSynced(join(folder, packed), file);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return file;
  }

  #fetchVersions(name: string, file: string): Promise<string[]> {
    const asking =
      this.#asking.get(name) ?? this.#askVersions(name, file).finally(() => this.#asking.delete(name));
    this.#asking.set(name, asking);
    return asking;
  }

  async #askVersions(name: string, file: string): Promise<string[]> {
    const answer = JSON.parse(await this.#npm(['view', name, 'versions', '--json']));
    const versions: string[] = Array.isArray(answer) ? answer : [answer];
    await mkdir(this.#folder, { recursive: true });
    await writeFile(`${file}.new`, JSON.stringify(versions));
    await renameSynced(`${file}.new`, file);
    return versions;
  }

  #npm(args: string[]): Promise<string> {
    const env = {
      ...process.env,
      HOME: this.#folder,
      npm_config_userconfig: this.#npmrc,
      npm_config_cache: join(this.#folder, 'npm'),
      npm_config_update_notifier: 'false',
    };
    return new Promise((resolve, reject) => {
      const child = spawn('npm', args, {
        env,
        cwd: '/',
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: NPM_TIMEOUT,
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (chunk) => {
        stdout += chunk;
      });
      child.stderr.on('data', (chunk) => {
        stderr += chunk;
      });
      child.on('error', (cause) =>
        reject(new PaasError('unavailable', `npm could not be started: ${cause.message}`, { cause })),
      );
      child.on('close', (status, signal) => {
        if (status === 0) return resolve(stdout);
        const reason = signal
          ? `it was ended by ${signal} (it may take ${NPM_TIMEOUT / 1000} s)`
          : lastLines(stderr);
        reject(new PaasError('unavailable', `\`npm ${args.slice(0, 2).join(' ')}\` failed: ${reason}`));
      });
    });
  }
}

function fileName(packageName: string): string {
  return packageName.replace(/^@/, '').replace('/', '__');
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' · ');
}
