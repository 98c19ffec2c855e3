import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { readUserDatabase } from '../../../runtime/images/user-database.ts';

describe('readUserDatabase()', () => {
  let folder: string;
  let layers: [string, string];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'paas-users-'));
    layers = [join(folder, 'top'), join(folder, 'bottom')];
    for (const layer of layers) mkdirSync(join(layer, 'etc'), { recursive: true });
    writeFileSync(join(layers[1], 'etc', 'passwd'), 'below');
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  it('readUserDatabase() takes the topmost file', () => {
    assert.equal(readUserDatabase(layers, 'passwd'), 'below');
    writeFileSync(join(layers[0], 'etc', 'passwd'), 'above');
    assert.equal(readUserDatabase(layers, 'passwd'), 'above');
    assert.equal(readUserDatabase(layers, 'group'), undefined);
  });

  it('readUserDatabase() follows no symbolic link out of the image', () => {
    symlinkSync('/etc/passwd', join(layers[0], 'etc', 'passwd'));
    assert.equal(readUserDatabase(layers, 'passwd'), undefined);
    rmSync(join(layers[0], 'etc'), { recursive: true });
    symlinkSync('/etc', join(layers[0], 'etc'));
    assert.equal(readUserDatabase(layers, 'passwd'), undefined);
  });

  it('readUserDatabase() does not wait for a FIFO', () => {
    execFileSync('mkfifo', [join(layers[0], 'etc', 'passwd')]);
    assert.equal(readUserDatabase(layers, 'passwd'), undefined);
  });
});
