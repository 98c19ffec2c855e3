import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { didYouMean, nearNames } from '../../../server/commands/suggest.ts';

const NAMES = [
  'apps',
  'apps:create',
  'ps',
  'ps:scale',
  'scale',
  'logs',
  'login',
  'config',
  'config:set',
  'config:get',
];

describe('nearNames()', () => {
  it('finds slips: swapped, missing, added and wrong letters', () => {
    assert.equal(nearNames('lgos', NAMES)[0], 'logs');
    assert.equal(nearNames('ap', NAMES)[0], 'apps');
    assert.equal(nearNames('sclae', NAMES)[0], 'scale');
    assert.equal(nearNames('config:sett', NAMES)[0], 'config:set');
  });

  it('finds the part after the colon', () => {
    assert.deepEqual(nearNames('create', NAMES), ['apps:create']);
  });

  it('gives three at most, and none for what is far from all', () => {
    assert.equal(nearNames('config', [...NAMES, 'configs', 'konfig', 'confif']).length, 3);
    assert.deepEqual(nearNames('zzzzzz', NAMES), []);
  });

  it('takes no time over a very long name', () => {
    assert.deepEqual(nearNames('x'.repeat(1_000_000), NAMES), []);
  });
});

describe('didYouMean()', () => {
  it('asks in a sentence, or says nothing', () => {
    assert.equal(didYouMean('logz', NAMES), ' Did you mean logs?');
    assert.equal(didYouMean('zzzzzz', NAMES), '');
  });
});
