import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'mocha';
import { parseWords, quoteWord } from '../../../server/commands/shell-words.ts';

const HOSTILE = [
  '',
  ' ',
  'plain',
  'x y',
  "it's",
  '"quoted"',
  'a=b=c',
  'line 1\nline 2\n',
  '\ttab',
  '\\',
  '\\n',
  '$(touch canary) `id` $HOME',
  'a;b|c&d>e*?[]{}~!#',
  'ünïcødé 🚀 \u202e',
  "'\\''",
  '-n',
  '\r\n',
];

describe('parseWords()', () => {
  it('splits at spaces and tabs', () => {
    assert.deepEqual(parseWords('  ps:scale\t web=3   -a blog '), ['ps:scale', 'web=3', '-a', 'blog']);
    assert.deepEqual(parseWords(''), []);
  });

  it('reads single quotes, double quotes and backslashes as POSIX does', () => {
    assert.deepEqual(parseWords(`A='x y' B="p \\"q\\" \\n" C=a\\ b '' ""`), [
      'A=x y',
      'B=p "q" \\n',
      'C=a b',
      '',
      '',
    ]);
  });

  it('leaves everything else of a shell alone', () => {
    assert.deepEqual(parseWords('a;b $(id) `id` | > * #c'), ['a;b', '$(id)', '`id`', '|', '>', '*', '#c']);
  });

  it('keeps an unquoted newline in its word', () => {
    assert.deepEqual(parseWords('config:set KEY=one\ntwo'), ['config:set', 'KEY=one\ntwo']);
  });

  it('refuses an open quote and NUL', () => {
    for (const line of [`a 'b`, 'a "b', 'a\0b']) assert.throws(() => parseWords(line), { code: 'invalid' });
  });
});

describe('quoteWord()', () => {
  it('gives what parseWords reads back', () => {
    assert.deepEqual(parseWords(HOSTILE.map(quoteWord).join(' ')), HOSTILE);
  });

  it('gives what a shell reads back', () => {
    const words = HOSTILE.map(quoteWord).join(' ');
    const output = execFileSync('sh', ['-c', `printf '%s\\0' ${words}`]).toString();
    assert.deepEqual(output.split('\0').slice(0, -1), HOSTILE);
  });
});
