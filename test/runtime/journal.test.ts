import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Journal } from '../../runtime/journal.ts';

describe('Journal', () => {
  let folder: string;
  beforeEach(() => {
    folder = join(mkdtempSync(join(tmpdir(), 'paas-journal-')), 'records');
  });
  afterEach(async () => {
    for (const journal of opened.splice(0)) await journal.close();
    rmSync(join(folder, '..'), { recursive: true });
  });
  const opened: Journal<unknown>[] = [];

  const open = (snapshot: unknown[] = [], growth = 1_000_000) => {
    const journal = new Journal<unknown>(folder, { snapshot: () => snapshot, growth });
    const read = journal.read();
    journal.begin();
    opened.push(journal);
    return { journal, read };
  };
  const files = () => readdirSync(folder).sort();

  it('gives back what was added, in order, also when nobody closed it', () => {
    const { journal } = open();
    for (const value of [{ a: 1 }, 'two\nlines', 3]) journal.add(value);
    assert.deepEqual(new Journal(folder, { snapshot: () => [] }).read(), [{ a: 1 }, 'two\nlines', 3]);
  });

  it('leaves out a line that was torn, and what is added afterwards is whole', async () => {
    const first = open();
    first.journal.add(1);
    appendFileSync(join(folder, files()[0]!), '{"half": ');
    const second = open([1]);
    assert.deepEqual(second.read, [1]);
    second.journal.add(2);
    await second.journal.close();
    assert.deepEqual(open().read, [1, 2]);
  });

  it('begins anew with a snapshot when it has grown, and removes what is older', async () => {
    const kept: number[] = [];
    const { journal } = open(kept, 1000);
    for (let value = 0; value < 2000; value++) {
      if (value % 100 === 0) kept.push(value);
      journal.add(value);
    }
    await journal.close();
    assert.equal(files().length, 1);
    assert.ok(statSync(join(folder, files()[0]!)).size < 1500);
    const again = open().read;
    for (const value of [...kept, 1999]) assert.ok(again.includes(value), `${value} is missing`);
    assert.ok(!again.includes(501));
  });

  it('keeps the older file until the snapshot is on the disk', async () => {
    const { journal } = open();
    journal.add('old');
    const later = open(['snapshot']);
    assert.equal(files().length, 2);
    await sleep(0);
    await later.journal.close();
    assert.equal(files().length, 1);
    assert.deepEqual(open().read, ['snapshot']);
  });
});
