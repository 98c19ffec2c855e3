import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { ensurePackages } from '../../../server/host/packages.ts';
import { ServicePolicy } from '../../../server/host/service-policy.ts';

const MODULE = join(import.meta.dirname, '../../../server/host/service-policy.ts');
const FOREIGN = '#!/bin/sh\n# no services in this image\nexit 101\n';

describe('ServicePolicy', () => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'paas-test-'));
    file = join(folder, 'policy-rc.d');
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** A set-up that is killed while it installs. */
  async function killedSetUp(): Promise<void> {
    const script = `const { ServicePolicy } = await import(${JSON.stringify(MODULE)});
      await new ServicePolicy(${JSON.stringify(file)}).during(['git', 'gcc'], () => new Promise(() => setInterval(() => {}, 1000)));`;
    const setUp = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'ignore' });
    while (!existsSync(file)) await sleep(10);
    const gone = new Promise((resolve) => setUp.once('exit', resolve));
    setUp.kill('SIGKILL');
    await gone;
  }

  it('during() refuses the starts of services while it works, and not after it, whatever the end', async () => {
    const work = async () => {
      assert.equal(spawnSync(file).status, 101);
      throw new Error('no network');
    };
    await assert.rejects(new ServicePolicy(file).during(['git'], work), /no network/);
    assert.ok(!existsSync(file));
  });

  it("leaves somebody else's file alone", async () => {
    writeFileSync(file, FOREIGN);
    const policy = new ServicePolicy(file);
    assert.equal(policy.interrupted(), undefined);
    await policy.during(['git'], async () => assert.equal(readFileSync(file, 'utf8'), FOREIGN));
    policy.remove();
    await ensurePackages([], policy);
    assert.equal(readFileSync(file, 'utf8'), FOREIGN);
  });

  it('interrupted() knows what a killed set-up was at; the next one takes its place and removes the file', async () => {
    await killedSetUp();
    const policy = new ServicePolicy(file);
    assert.deepEqual(policy.interrupted(), ['git', 'gcc']);
    await policy.during(['gcc'], async () => assert.deepEqual(policy.interrupted(), ['gcc']));
    assert.ok(!existsSync(file));
  });

  describe('ensurePackages() after a killed set-up', () => {
    const path = process.env.PATH;
    const calls = () => readFileSync(join(folder, 'calls'), 'utf8');
    const fakeDpkg = (status: number) =>
      writeFileSync(
        join(folder, 'dpkg'),
        `#!/bin/sh\necho "$@" >>${folder}/calls\necho locked >&2\nexit ${status}\n`,
        { mode: 0o755 },
      );

    beforeEach(async () => {
      await killedSetUp();
      process.env.PATH = `${folder}:${path}`;
    });

    afterEach(() => {
      process.env.PATH = path;
    });

    it('finishes what it began, and takes its file away, though nothing is missing', async () => {
      fakeDpkg(0);
      await ensurePackages([], new ServicePolicy(file));
      assert.equal(calls(), '--configure -a\n');
      assert.ok(!existsSync(file));
    });

    it('keeps the file for the next try where that fails', async () => {
      fakeDpkg(2);
      await assert.rejects(
        ensurePackages([], new ServicePolicy(file)),
        /interrupted installation.*\n.*locked/,
      );
      assert.deepEqual(new ServicePolicy(file).interrupted(), ['git', 'gcc']);
    });
  });
});
