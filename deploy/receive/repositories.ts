import { existsSync } from 'node:fs';
import { chmod, mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { renameSynced } from '../synced-rename.ts';
import { GIT, gitEnvironment, runGit } from './git.ts';
import type { RefChange } from './pushed-refs.ts';

/** What HEAD names, for those who clone. */
const DEPLOY_BRANCH = 'main';

/**
 * Runs inside `git receive-pack`, before any ref changes. Descriptors 3 to 5 come from control: the question
 * (which objects, which refs) goes out on 3, what the pusher shall see comes in on 4, and the verdict on 5.
 * When control dies, 4 and 5 end, and the push is refused.
 */
const PRE_RECEIVE = `#!/bin/sh
{
  printf 'objects %s\\n' "$GIT_OBJECT_DIRECTORY"
  printf 'alternates %s\\n' "$GIT_ALTERNATE_OBJECT_DIRECTORIES"
  while read -r old new ref; do printf 'ref %s %s %s\\n' "$old" "$new" "$ref"; done
  echo end
} >&3
cat <&4 >&2
read -r verdict <&5 || echo ' !     The platform stopped before the push was through. Push again.' >&2
exit "\${verdict:-1}"
`;

/** Over what the pushed `.gitattributes` says (gitattributes(5)): the build gets the tree as it was pushed. */
const ATTRIBUTES = '* -export-ignore -export-subst\n';

/** One bare repository an app, all with the same hooks, which no push can change. */
export class Repositories {
  #folder: string;
  #making = new Map<string, Promise<void>>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /**
   * Lays the hooks, and takes away what a git that was cut off left, and repositories of apps that are no more; once at start, when
   * no git runs.
   */
  async prepare(isApp: (name: string) => boolean = () => true): Promise<void> {
    await mkdir(this.hooks, { recursive: true, mode: 0o700 });
    const hook = join(this.hooks, 'pre-receive');
    await writeFile(`${hook}.new`, PRE_RECEIVE, { mode: 0o755 });
    await chmod(`${hook}.new`, 0o755);
    await rename(`${hook}.new`, hook);
    for (const name of await readdir(this.#folder)) {
      if (!name.endsWith('.git') || name.startsWith('.')) continue;
      const app = name.slice(0, -'.git'.length);
      if (isApp(app)) await removeLeftovers(join(this.#folder, name));
      else await this.remove(app);
    }
  }

  get hooks(): string {
    return join(this.#folder, 'hooks');
  }

  /** Arguments of git in front of `receive-pack`: our hooks, what a push may bring, and that it is on disk when accepted. */
  get receiveSettings(): string[] {
    const settings = {
      'core.hooksPath': this.hooks,
      'core.fsync': 'all',
      'receive.fsckObjects': 'true',
      'receive.maxInputSize': String(512 * 1024 ** 2),
      'receive.denyCurrentBranch': 'ignore',
      'receive.denyDeletes': 'false',
      'receive.autogc': 'false',
      'receive.advertisePushOptions': 'false',
      'gc.auto': '0',
    };
    return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  }

  path(app: string): string {
    return join(this.#folder, `${app}.git`);
  }

  /** Makes the app's repository where there is none; calls that come meanwhile wait for the same one. */
  ensure(app: string): Promise<void> {
    if (existsSync(this.path(app))) return Promise.resolve();
    const making = this.#making.get(app) ?? this.#make(app).finally(() => this.#making.delete(app));
    this.#making.set(app, making);
    return making;
  }

  /** Ref → the commit or tag that it names now. */
  async refs(app: string): Promise<Map<string, string>> {
    const listing = await runGit(['for-each-ref', '--format=%(refname) %(objectname)'], {
      cwd: this.path(app),
    });
    const lines = listing.toString().split('\n').filter(Boolean);
    return new Map(lines.map((line) => line.split(' ') as [string, string]));
  }

  /** Whether a push has moved its ref: git leaves what it has just moved in a file of its own (gitrepository-layout(5)). */
  async isAt(app: string, { ref, new: commit }: RefChange): Promise<boolean> {
    const text = await readFile(join(this.path(app), ref), 'utf8').catch(() => '');
    return text.trim() === commit;
  }

  /** Moves a ref as a push would have. Throws `internal` where it is not at `old` (any more), or not all of the commit is there. */
  async move(app: string, { ref, old, new: commit }: RefChange): Promise<void> {
    const cwd = this.path(app);
    const complete = ['rev-list', '--objects', '--quiet', commit, '--not', '--all'];
    await runGit(complete, { cwd, maxMilliseconds: 60_000 });
    await runGit(['-c', 'core.fsync=all', 'update-ref', ref, commit, old], { cwd });
    await this.syncRefs(app);
  }

  /** Brings the refs of an accepted push to the disk: git syncs what is in them, but not the rename that ends an update. */
  async syncRefs(app: string): Promise<void> {
    if (!existsSync(this.path(app))) return; // destroyed meanwhile
    const folder = await open(join(this.path(app), 'refs', 'heads'));
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }

  async remove(app: string): Promise<void> {
    await rm(this.path(app), { recursive: true, force: true });
  }

  async #make(app: string): Promise<void> {
    const temporary = join(this.#folder, `.${app}.git.new`);
    await rm(temporary, { recursive: true, force: true });
    await mkdir(temporary, { recursive: true, mode: 0o700 });
    const environment = gitEnvironment();
    // Only new apps need it.
    const { simpleGit } = await import('simple-git');
    const unsafe = { allowUnsafeConfigPaths: true }; // ours: they shut the system's and the user's settings out
    const git = simpleGit({
      baseDir: temporary,
      binary: GIT,
      unsafe,
      allowEnvironment: Object.keys(environment),
    });
    git.env(environment);
    await git.init(true, [`--initial-branch=${DEPLOY_BRANCH}`]);
    await rm(join(temporary, 'hooks'), { recursive: true, force: true });
    await mkdir(join(temporary, 'info'), { recursive: true });
    await writeFile(join(temporary, 'info', 'attributes'), ATTRIBUTES);
    await renameSynced(temporary, this.path(app));
  }
}

/** With a lock that nobody holds no ref can ever be updated again; a quarantine is as large as what was being pushed. */
async function removeLeftovers(repository: string): Promise<void> {
  const entries = [
    ...(await readdir(repository)),
    ...(await readdir(join(repository, 'refs'), { recursive: true })).map((name) => join('refs', name)),
    ...(await readdir(join(repository, 'objects'))).map((name) => join('objects', name)),
  ];
  const left = entries.filter((name) => name.endsWith('.lock') || name.startsWith('objects/tmp_objdir-'));
  for (const name of left) await rm(join(repository, name), { recursive: true, force: true });
}
