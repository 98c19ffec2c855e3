import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { NpmRegistry } from '../../deploy/build/npm-registry.ts';

describe('NpmRegistry', () => {
  const path = process.env.PATH;
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'paas-test-'));
    process.env.PATH = `${folder}:${path}`;
  });

  afterEach(() => {
    process.env.PATH = path;
    rmSync(folder, { recursive: true });
  });

  const archive = (npm: string) => {
    writeFileSync(join(folder, 'npm'), `#!/bin/sh\n${npm}\n`, { mode: 0o755 });
    return new NpmRegistry({ folder, npmrc: join(folder, 'npmrc') }).archive('tool', '1.0.0');
  };

  it('archive() says what npm said', async () => {
    await assert.rejects(archive('echo no such package >&2; exit 1'), {
      message: '`npm pack tool@1.0.0` failed: no such package',
    });
  });

  it('archive() says so where npm was ended, as it is when it takes too long', async () => {
    await assert.rejects(archive('kill $$'), {
      message: '`npm pack tool@1.0.0` failed: it was ended by SIGTERM (it may take 300 s)',
    });
  });

  it('prepare() takes away what a download that was cut off left, and nothing else', async () => {
    const whole = await archive('for folder; do :; done; echo whole >"$folder/tool.tgz"');
    mkdirSync(join(folder, '.pack-cut'));
    writeFileSync(join(folder, '.pack-cut', 'tool.tgz'), 'half');
    const registry = new NpmRegistry({ folder, npmrc: join(folder, 'npmrc') });
    await registry.prepare();
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith('.pack-')),
      [],
    );
    assert.equal(readFileSync(whole, 'utf8'), 'whole\n');
  });

  it('prepare() does not mind that nothing was ever downloaded', async () => {
    await new NpmRegistry({ folder: join(folder, 'none'), npmrc: '' }).prepare();
    assert.ok(!existsSync(join(folder, 'none')));
  });
});
