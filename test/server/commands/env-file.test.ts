import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseEnvFile } from '../../../server/commands/env-file.ts';

describe('parseEnvFile()', () => {
  it('reads names, comments, export, CRLF and blank lines', () => {
    const text =
      '\ufeff# a comment\r\nA=1\r\n\r\nexport B = two words # a comment\nC=\nD=a#b\n  # indented\nE= #only comment';
    assert.deepEqual(parseEnvFile(text), { A: '1', B: 'two words', C: '', D: 'a#b', E: '' });
  });

  it('reads quoted values, over several lines too', () => {
    const text = `A='x "y" \\n $Z'\nB="1\\n2\\t\\"3\\" \\$4"\nC='one\ntwo' # after\nD="a=b\n# no comment"\n`;
    assert.deepEqual(parseEnvFile(text), {
      A: 'x "y" \\n $Z',
      B: '1\n2\t"3" $4',
      C: 'one\ntwo',
      D: 'a=b\n# no comment',
    });
  });

  it("reads a single quote as a shell's quoting writes it", () => {
    assert.deepEqual(parseEnvFile(`A='it'\\''s'\nB=2`), { A: "it's", B: '2' });
  });

  it('refuses what is no assignment, with its line', () => {
    assert.throws(() => parseEnvFile('A=1\nnonsense'), { code: 'invalid', message: /^Line 2: "nonsense"/ });
    assert.throws(() => parseEnvFile('A="open'), { message: /^Line 1: a value opens with "/ });
    assert.throws(() => parseEnvFile("A='x'y"), { message: /after the closing quote/ });
    assert.throws(() => parseEnvFile('1A=x'), { code: 'invalid' });
  });
});
