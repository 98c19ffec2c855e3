import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseSlugIgnore } from '../../buildpacks/slug-ignore.ts';

describe('parseSlugIgnore()', () => {
  const cases: [pattern: string, left: string[], kept: string[]][] = [
    ['*.psd', ['a.psd', 'x/y/b.psd'], ['a.psd.txt', 'psd']],
    ['docs', ['docs/a', 'x/docs/b/c', 'docs'], ['mydocs/a']],
    ['/docs', ['docs/a'], ['x/docs/a']],
    ['docs/', ['docs/a', 'x/docs/a'], ['docs', 'x/docs']],
    ['test/*.js', ['test/a.js'], ['test/a/b.js', 'x/test/a.js']],
    ['test/**/*.js', ['test/a.js', 'test/a/b/c.js'], ['test/a.ts']],
    ['test/**', ['test/a', 'test/a/b'], ['tests/a']],
    ['a?c', ['abc', 'x/aéc'], ['ac', 'abbc']],
    ['[a-c]1', ['a1', 'c1'], ['d1', '-1']],
    ['[!a-c]1', ['d1'], ['b1']],
    ['\\*', ['*'], ['a']],
    ['# docs', [], ['# docs', 'docs']],
    ['!docs', [], ['docs', '!docs']],
    ['/', [], ['a']],
  ];
  for (const [pattern, left, kept] of cases) {
    it(`${pattern}`, () => {
      const isIgnored = parseSlugIgnore(`${pattern}\r\n\n`);
      assert.deepEqual([...left, ...kept].filter(isIgnored), left);
    });
  }

  it('takes no exponential time', () => {
    const isIgnored = parseSlugIgnore(`${'*a'.repeat(200)}b\n${'**/x/'.repeat(100)}y`);
    const start = performance.now();
    assert.equal(isIgnored('a'.repeat(4000)), false);
    assert.equal(isIgnored('x/'.repeat(1000)), false);
    assert.ok(performance.now() - start < 1000);
  });

  it('gives up where the product of patterns and paths is made large', () => {
    const isIgnored = parseSlugIgnore(`*${'a'.repeat(2000)}b\n`.repeat(100));
    assert.throws(() => isIgnored('a'.repeat(4000)), { name: 'BuildpackError', message: /takes too long/ });
  }).timeout(20_000);
});
