import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseShape } from './json-shape.ts';

describe('parseShape()', () => {
  const shape = parseShape(
    "{ name: string, at: time | null, kind: 'a' | 'b', own?: number, vars: { [NAME]: string }, all: { id: number }[] }",
  );
  const right = { name: 'x', at: '2026-08-10T10:00:00.000Z', kind: 'b', vars: { A: '1' }, all: [{ id: 1 }] };

  it('finds nothing wrong with what fits', () => {
    assert.deepEqual(shape(right), []);
    assert.deepEqual(shape({ ...right, at: null, own: 2, vars: {}, all: [] }), []);
  });

  it('says where something does not', () => {
    const { name: _, ...unnamed } = right;
    assert.deepEqual(shape(unnamed), ['$.name is missing']);
    assert.deepEqual(shape({ ...right, more: 1 }), ['$.more is not in the docs']);
    assert.deepEqual(shape({ ...right, kind: 'c' }), ["$.kind is not 'a': c"]);
    assert.deepEqual(shape({ ...right, at: '10:00' }), ['$.at is no time: 10:00']);
    assert.deepEqual(shape({ ...right, all: [{ id: '1' }] }), ['$.all[0].id is no number: 1']);
    assert.deepEqual(shape({ ...right, vars: { A: 1 } }), ['$.vars.A is no string: 1']);
  });

  it('takes no text for a shape that is none', () => {
    assert.throws(() => parseShape('{ name: text }'), /Not understood: text/);
    assert.throws(() => parseShape('string string'), /Not understood/);
  });
});
