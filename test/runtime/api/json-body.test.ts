import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseJson } from '../../../runtime/api/json-body.ts';

describe('parseJson()', () => {
  it('reads JSON', () => assert.deepEqual(parseJson('{"a":[1,{"b":null}]}'), { a: [1, { b: null }] }));

  for (const text of [
    '{',
    'nul',
    `${'['.repeat(5000)}${']'.repeat(5000)}`,
    '{"a":'.repeat(40) + 1 + '}'.repeat(40),
  ]) {
    it(`refuses ${text.slice(0, 20)}`, () => assert.throws(() => parseJson(text), { code: 'invalid' }));
  }
});
