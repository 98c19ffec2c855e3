import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { spreadFolders } from '../../../runtime/syscall/files.ts';

describe('spreadFolders()', () => {
  /** In a new folder: its file system, and its flags as lsattr(1) shows them. */
  function spreadIn(parent: string): { type: string; flags: string } {
    const folder = mkdtempSync(join(parent, 'paas-spread-'));
    try {
      spreadFolders(folder);
      const type = execFileSync('stat', ['-f', '-c', '%T', folder], { encoding: 'utf8' }).trim();
      return { type, flags: type === 'ext2/ext3' ? flagsOf(folder) : '' };
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  it('sets the flag of ext4, beside those that are there', function () {
    const { type, flags } = spreadIn(tmpdir());
    if (type !== 'ext2/ext3') this.skip();
    assert.match(flags, /T/);
    assert.match(flags, /e/);
  });

  it('leaves a file system as it is that has no such flag', () => {
    assert.equal(spreadIn('/dev/shm').type, 'tmpfs');
  });
});

function flagsOf(folder: string): string {
  return execFileSync('lsattr', ['-d', folder], { encoding: 'utf8' }).split(' ')[0]!;
}
