import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { noisyOf } from '../../../runtime/containers/noisy-neighbours.ts';

const NOBODY: ReadonlySet<string> = new Set();

/** Of containers that use so many processors, those that are noisy on two. */
function noisy(rates: Record<string, number>, before = NOBODY): string[] {
  return [...noisyOf(new Map(Object.entries(rates)), { processors: 2, before })];
}

describe('who is noisy', () => {
  it('is who takes much where another takes little', () => {
    assert.deepEqual(noisy({ loop: 1.9, app: 0.05 }), ['loop']);
    assert.deepEqual(noisy({ loop: 0.9, app: 0.001 }), ['loop']);
  });

  it('is nobody while all take little', () => {
    assert.deepEqual(noisy({ one: 0.2, two: 0.24, three: 0 }), []);
    assert.deepEqual(noisy({}), []);
  });

  it('is everybody where all take much: they are equals again', () => {
    assert.deepEqual(noisy({ one: 0.7, two: 0.6, three: 0.7 }), ['one', 'two', 'three']);
  });

  it('depends on how many want the processors, idle ones not counted', () => {
    const others = Object.fromEntries(Array.from({ length: 3 }, (_, index) => [`other ${index}`, 0.1]));
    assert.deepEqual(noisy({ app: 0.2, ...others }), ['app']);
    const idle = Object.fromEntries(Array.from({ length: 90 }, (_, index) => [`idle ${index}`, 0.005]));
    assert.deepEqual(noisy({ app: 0.2, ...idle }), []);
  });

  it('is never who takes less than a tenth of one, of however many', () => {
    const others = Object.fromEntries(Array.from({ length: 99 }, (_, index) => [`other ${index}`, 0.09]));
    assert.deepEqual(noisy({ loop: 0.11, ...others }), ['loop']);
  });

  it('goes on until it takes half of that: nobody who gets little because of it stays so', () => {
    const before = new Set(['loop']);
    assert.deepEqual(noisy({ loop: 0.2 }, before), ['loop']);
    assert.deepEqual(noisy({ loop: 0.1 }, before), []);
  });
});
