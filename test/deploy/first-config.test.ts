import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseAppJson } from '../../buildpacks/app-json.ts';
import { firstConfig } from '../../deploy/first-config.ts';

describe('firstConfig()', () => {
  const of = (env: object, present: Record<string, string> = {}) =>
    firstConfig('shop', parseAppJson(JSON.stringify({ env })).env, present);

  it('gives values and secrets, but nothing that is set already', () => {
    const env = { A: 'a', B: { value: 'b' }, KEY: { generator: 'secret' }, OPEN: { required: false } };
    const { KEY, ...rest } = of(env, { B: 'mine' });
    assert.deepEqual(rest, { A: 'a' });
    assert.match(KEY!, /^[0-9a-f]{64}$/);
    assert.notEqual(of(env).KEY, KEY);
  });

  it('names what only a person can set, with the command', () => {
    const env = { A: { description: 'x' }, B: { required: true }, C: 'c' };
    assert.throws(() => of(env), {
      code: 'invalid',
      message: /not set: A, B\.\nSet them and push again: paas config:set A=… B=… -a shop$/,
    });
    assert.deepEqual(of(env, { A: '1', B: '' }), { C: 'c' });
  });

  it('refuses what no app may set', () => {
    assert.throws(() => of({ PORT: '80' }), { code: 'invalid', message: /PORT is set by the platform/ });
  });
});
