import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import ssh2 from 'ssh2';
import { makeKeyPair } from '../../../server/ssh/key-pair.ts';

describe('makeKeyPair()', () => {
  it('makes keys that can be read again, every time (2,000)', () => {
    for (let made = 0; made < 2000; made += 1) {
      const pair = makeKeyPair('test');
      const parsed = [pair.private, pair.public].map((text) => ssh2.utils.parseKey(text));
      for (const key of parsed) assert.ok(!(key instanceof Error), String(key));
      const [secret, open] = parsed as ssh2.ParsedKey[];
      assert.deepEqual(secret!.getPublicSSH(), open!.getPublicSSH());
    }
  });
});
