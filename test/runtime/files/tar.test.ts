import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { checksumOf, type TarEntry } from '../../../runtime/files/tar-format.ts';
import { TarReader } from '../../../runtime/files/tar-reader.ts';
import { type Member, tarOf } from './tar-fixture.ts';

/** What a reader tells of an archive that comes in pieces of so many bytes. */
function read(archive: Buffer, pieces: number): (TarEntry & { content: string })[] {
  const members: (TarEntry & { content: string })[] = [];
  const reader = new TarReader({
    entry: (entry) => members.push({ ...entry, content: '' }),
    data: (chunk) => {
      members.at(-1)!.content += chunk.toString('latin1');
    },
    end: () => {},
  });
  for (let at = 0; at < archive.length; at += pieces) reader.push(archive.subarray(at, at + pieces));
  reader.finish();
  return members;
}

const LONG = `${'folder/'.repeat(30)}file`;

describe('TarReader', () => {
  const members: Member[] = [
    { name: 'a', content: 'content' },
    { name: 'folder/', type: 'folder', mode: 0o1777 },
    { name: LONG, content: 'x'.repeat(1000), uid: 3_000_000, gid: 4_000_000, mode: 0o4755 },
    { name: 'link', type: 'symlink', linkName: LONG },
    { name: 'hard', type: 'link', linkName: 'a' },
    { name: 'caf\xc3\xa9', attributes: { 'user.colour': 'red\0green', 'security.capability': '\x01\xff' } },
  ];

  it('TarReader reads what tarHeader() writes, in pieces of any size', () => {
    for (const pieces of [1, 7, 512, 100_000]) {
      const found = read(tarOf(...members), pieces);
      assert.equal(found.length, members.length);
      for (const [index, { content = '', ...said }] of members.entries()) {
        const { size, ...entry } = found[index]!;
        assert.equal(size, content.length);
        assert.deepEqual({ ...entry, ...said, content }, entry);
      }
    }
  });

  it('tarHeader() writes what GNU tar reads, and TarReader reads what GNU tar writes', () => {
    const folder = mkdtempSync(join(tmpdir(), 'paas-tar-'));
    try {
      writeFileSync(join(folder, 'ours.tar'), tarOf(...members));
      const listed = execFileSync('tar', ['-tf', join(folder, 'ours.tar'), '--quoting-style=literal']);
      assert.deepEqual(
        listed.toString('latin1').trim().split('\n'),
        members.map(({ name }) => name),
      );
      mkdirSync(join(folder, 'tree', LONG, '..'), { recursive: true });
      writeFileSync(join(folder, 'tree', LONG), 'deep');
      for (const format of ['gnu', 'pax', 'posix', 'ustar']) {
        const archive = join(folder, `${format}.tar`);
        execFileSync('tar', ['-C', join(folder, 'tree'), `--format=${format}`, '-cf', archive, '.']);
        const last = read(readFileSync(archive), 10_000).at(-1);
        assert.deepEqual([last?.name, last?.content], [`./${LONG}`, 'deep'], format);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('TarReader refuses what is damaged, cut off, empty or of an unknown kind', () => {
    const good = tarOf({ name: 'a', content: 'content' });
    const damaged = Buffer.from(good);
    damaged[0] = 0x62;
    assert.throws(() => read(damaged, 512), /damaged/);
    assert.throws(() => read(good.subarray(0, 514), 512), /middle of a member/);
    assert.throws(() => read(Buffer.alloc(0), 1), /empty/);
    assert.throws(() => read(Buffer.from('not a tar at all'.repeat(100)), 512), { code: 'invalid' });
    assert.throws(() => read(sparseFile(), 512), /not supported/);
  });

  it('2,000 mutations of an archive are read or refused, never anything else', () => {
    const original = tarOf(...members.slice(0, 4));
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    for (let run = 0; run < 2000; run++) {
      const mutated = Buffer.from(original);
      for (let change = 0; change < 3; change++) mutated[random(mutated.length)] = random(256);
      try {
        read(mutated.subarray(0, random(mutated.length)), 1 + random(2000));
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'invalid', String(error));
      }
    }
  });
});

/** GNU's sparse file. */
function sparseFile(): Buffer {
  const archive = tarOf({ name: 'sparse' });
  archive.write('S', 156);
  archive.write(`${checksumOf(archive.subarray(0, 512)).toString(8).padStart(6, '0')}\0 `, 148);
  return archive;
}
