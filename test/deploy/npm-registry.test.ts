import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
});
