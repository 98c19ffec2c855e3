import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, before, beforeEach, describe, it } from 'mocha';
import { NpmRegistry } from '../../deploy/build/npm-registry.ts';
import { gitEnvironment } from '../../deploy/receive/git.ts';
import { Repositories } from '../../deploy/receive/repositories.ts';
import { ensureInit } from '../../runtime/init/build.ts';

/** What is on the disk when the power goes: of a file that nobody synced, ext4 may know the name but not the content. */
describe('after a power cut', () => {
  let disk: TestDisk;

  before(function () {
    if (process.getuid?.() !== 0) return this.skip();
    if (spawnSync('losetup', ['--find'], { stdio: 'ignore' }).status !== 0) return this.skip();
  });

  beforeEach(() => {
    disk = new TestDisk();
  });

  afterEach(() => {
    disk.remove();
  });

  it('the test sees what was not synced, and only that (negative control)', () => {
    writeFileSync(disk.path('lost'), 'text');
    execFileSync('sh', ['-c', `echo text >${disk.path('kept')} && sync ${disk.path('kept')}`]);
    disk.powerCut();
    assert.equal(readFileSync(disk.path('lost'), 'utf8'), '');
    assert.equal(readFileSync(disk.path('kept'), 'utf8'), 'text\n');
  });

  it('an app whose first push was under way has a whole repository', async () => {
    await new Repositories(disk.path('repos')).ensure('app');
    disk.powerCut();
    const repository = disk.path('repos/app.git');
    const git = (...args: string[]) =>
      execFileSync('git', ['--git-dir', repository, ...args], { encoding: 'utf8', env: gitEnvironment() });
    assert.equal(git('symbolic-ref', 'HEAD'), 'refs/heads/main\n');
    assert.equal(git('config', 'core.bare'), 'true\n');
    assert.match(readFileSync(join(repository, 'info/attributes'), 'utf8'), /-export-subst/);
  });

  it('an accepted push is in the repository, and the next can be accepted too', async () => {
    const repositories = new Repositories(disk.path('repos'));
    await repositories.prepare();
    await repositories.ensure('app');
    const work = disk.outside('work');
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
        encoding: 'utf8',
        env: gitEnvironment(),
      }).trim();
    const commitAndPush = () => {
      git('-C', work, 'commit', '-q', '--allow-empty', '-m', 'change');
      const settings = repositories.receiveSettings.filter((word) => !word.startsWith('core.hooksPath'));
      const receive = `git ${settings
        .filter((word) => word !== '-c')
        .map((word) => `-c ${word}`)
        .join(' ')} receive-pack`;
      git(
        '-C',
        work,
        'push',
        '-q',
        `--receive-pack=${receive}`,
        repositories.path('app'),
        'HEAD:refs/heads/main',
      );
      return git('-C', work, 'rev-parse', 'HEAD');
    };
    git('init', '-q', work);
    commitAndPush();
    const pushed = commitAndPush();
    await repositories.syncRefs('app');
    disk.powerCut({ journal: false });
    assert.equal(git('-C', repositories.path('app'), 'rev-parse', 'refs/heads/main'), pushed);

    writeFileSync(join(repositories.path('app'), 'refs/heads/main.lock'), '');
    mkdirSync(join(repositories.path('app'), 'objects/tmp_objdir-incoming-x'));
    await repositories.prepare();
    const next = commitAndPush();
    assert.equal(git('-C', repositories.path('app'), 'rev-parse', 'refs/heads/main'), next);
    assert.deepEqual(
      readdirSync(join(repositories.path('app'), 'objects')).filter((name) => name.startsWith('tmp')),
      [],
    );
  });

  it("the containers' init is whole", async () => {
    const program = await ensureInit(disk.path('cache'));
    const whole = readFileSync(program);
    disk.powerCut();
    assert.ok(readFileSync(program).equals(whole));
  });

  it("an empty file in the place of the containers' init, left by a version that did not sync it, is replaced", async () => {
    const program = await ensureInit(disk.path('cache'));
    const whole = readFileSync(program);
    for (const lost of ['', '\0'.repeat(whole.length)]) {
      writeFileSync(program, lost);
      assert.equal(await ensureInit(disk.path('cache')), program);
      assert.ok(readFileSync(program).equals(whole));
    }
  });

  describe('of what npm brought', () => {
    const path = process.env.PATH;

    beforeEach(() => {
      const tools = disk.outside('tools');
      mkdirSync(tools);
      writeFileSync(
        join(tools, 'npm'),
        `#!/bin/sh
case $1 in
  view) echo '["1.0.0"]' ;;
  pack) for folder; do :; done; echo archive >"$folder/tool.tgz" ;;
esac
`,
      );
      chmodSync(join(tools, 'npm'), 0o755);
      process.env.PATH = `${tools}:${path}`;
    });

    afterEach(() => {
      process.env.PATH = path;
    });

    const registry = () => new NpmRegistry({ folder: disk.path('cache'), npmrc: disk.outside('npmrc') });

    it('an archive is whole', async () => {
      const before = await registry().archive('tool', '1.0.0');
      disk.powerCut();
      assert.equal(await registry().archive('tool', '1.0.0'), before);
      assert.equal(readFileSync(before, 'utf8'), 'archive\n');
    });

    it('a list of versions is whole', async () => {
      await registry().versions('tool');
      disk.powerCut();
      assert.deepEqual(await registry().versions('tool'), ['1.0.0']);
    });
  });
});

/** A small ext4 of its own, in a file. */
class TestDisk {
  readonly #folder = mkdtempSync(join(tmpdir(), 'paas-disk-'));
  #image = join(this.#folder, 'image');
  #cuts = 0;

  constructor() {
    mkdirSync(this.#mountpoint);
    execFileSync('truncate', ['--size', '32M', this.#image]);
    execFileSync('mkfs.ext4', ['-q', this.#image]);
    this.#mount();
  }

  path(name: string): string {
    return join(this.#mountpoint, name);
  }

  /** Of the same life, but not on the disk. */
  outside(name: string): string {
    return join(this.#folder, name);
  }

  /** Goes on with what had reached the disk, the names that its journal knows included. */
  powerCut({ journal = true } = {}): void {
    // Commits the journal, as it happens every 5 s, or when anybody syncs anything.
    if (journal) execFileSync('sh', ['-c', `echo >${this.path('other')} && sync ${this.path('other')}`]);
    this.#cuts += 1;
    const next = join(this.#folder, `image-${this.#cuts}`);
    copyFileSync(this.#image, next);
    this.#unmount();
    rmSync(this.#image);
    this.#image = next;
    this.#mount();
  }

  remove(): void {
    this.#unmount();
    rmSync(this.#folder, { recursive: true });
  }

  get #mountpoint(): string {
    return join(this.#folder, 'disk');
  }

  #mount(): void {
    execFileSync('mount', ['-o', 'loop', this.#image, this.#mountpoint]);
  }

  #unmount(): void {
    execFileSync('umount', [this.#mountpoint]);
  }
}
