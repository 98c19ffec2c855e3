import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { resolveUser } from '../../../runtime/containers/user.ts';

const FILES = {
  passwd:
    'root:x:0:0:root:/root:/bin/sh\npostgres:x:105:110:,,,:/var/lib/postgresql:/bin/sh\nJo.Doe:x:7:8::/home/jo:\n',
  group: 'root:x:0:\nssl-cert:x:111:other,postgres\npostgres:x:110:\n',
};
const read = (name: 'passwd' | 'group') => FILES[name];
const readNothing = () => undefined;

describe('resolveUser()', () => {
  it('resolveUser() takes app unless told otherwise', () => {
    const app = { uid: 70000, gid: 70000, groups: [], home: '/app' };
    assert.deepEqual(resolveUser('', readNothing), app);
    assert.deepEqual(resolveUser('app', readNothing), app);
  });

  it('resolveUser() finds users, their groups and homes in the image', () => {
    const postgres = { uid: 105, gid: 110, groups: [111], home: '/var/lib/postgresql' };
    assert.deepEqual(resolveUser('postgres', read), postgres);
    assert.deepEqual(resolveUser('105', read), postgres);
    assert.deepEqual(resolveUser('105:ssl-cert', read), { ...postgres, gid: 111, groups: [] });
  });

  it('resolveUser() gives group 0 to a number that the image does not know, but not to the app’s', () => {
    assert.deepEqual(resolveUser('1234', read), { uid: 1234, gid: 0, groups: [], home: '/' });
    assert.deepEqual(resolveUser('70000', read), { uid: 70000, gid: 70000, groups: [], home: '/' });
    assert.equal(resolveUser('2147483647', read).uid, 2 ** 31 - 1);
  });

  it('resolveUser() takes a group alone, which means root in it', () => {
    assert.deepEqual(resolveUser(':5', read), { uid: 0, gid: 5, groups: [], home: '/root' });
    assert.equal(resolveUser(':postgres', read).gid, 110);
  });

  it('resolveUser() looks names up as they are written', () => {
    assert.deepEqual(resolveUser('Jo.Doe', read), { uid: 7, gid: 8, groups: [], home: '/home/jo' });
    assert.throws(() => resolveUser('jo.doe', read), { code: 'invalid', message: /no user "jo.doe"/ });
  });

  // CVE-2026-30892, CVE-2024-40635 and their kin.
  for (const text of [
    '-1',
    '4294967295',
    '4294967296',
    '1000:',
    ':',
    ':nobody2',
    '2147483648',
    '1:2147483648',
    'root\n',
    '1:-1',
    ' 0',
    'nobody2',
    '0x0',
    '1:2:3',
  ]) {
    it(`resolveUser() refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => resolveUser(text, read), { code: 'invalid' });
    });
  }
});
