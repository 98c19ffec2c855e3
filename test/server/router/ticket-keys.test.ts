import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { TicketKeys } from '../../../server/router/ticket-keys.ts';

const HOUR = 3_600_000;

describe('TicketKeys.current()', () => {
  let folder: string;
  let path: string;
  const now = Date.now();

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tickets-'));
    path = join(folder, 'keys.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('are the same for every router, in a file of its user alone', () => {
    const first = new TicketKeys(path).current(now);
    assert.equal(first.length, 48);
    assert.deepEqual(new TicketKeys(path).current(now + HOUR), first);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(folder), ['keys.json']);
  });

  it('last a day; a router that runs on takes those of another', () => {
    const [one, other] = [new TicketKeys(path), new TicketKeys(path)];
    const old = one.current(now);
    assert.equal(other.current(now), other.current(now + 1000));
    const fresh = one.current(now + 25 * HOUR);
    assert.notDeepEqual(fresh, old);
    assert.deepEqual(other.current(now + 25 * HOUR + 1), fresh);
  });

  it('are made anew if the file is damaged, and go without one', () => {
    writeFileSync(path, '{"madeAt": 1, "keys": "AAAA"}');
    assert.equal(new TicketKeys(path).current(now).length, 48);
    const own = new TicketKeys();
    assert.equal(own.current(now), own.current(now + HOUR));
    assert.notEqual(own.current(now), own.current(now + 25 * HOUR));
  });
});
