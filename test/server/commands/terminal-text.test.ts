// biome-ignore-all lint/suspicious/noControlCharactersInRegex: they are what is tested
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { escapeControls, filterLine, TerminalFilter } from '../../../server/commands/terminal-text.ts';

describe('escapeControls()', () => {
  it('shows control characters and reordering marks as text', () => {
    assert.equal(
      escapeControls('a\nb\tc\x1b[2J\x07\x7f\x9b\u202e\u2066'),
      'a\\nb\\tc\\x1b[2J\\x07\\x7f\\x9b\\u202e\\u2066',
    );
  });

  it('leaves printable text alone', () => {
    assert.equal(escapeControls('ünïcødé 🚀 "quotes" \\n'), 'ünïcødé 🚀 "quotes" \\n');
  });
});

describe('filterLine()', () => {
  it('keeps colours, and ends them with the line', () => {
    assert.equal(filterLine('\x1b[1;31mred'), '\x1b[1;31mred\x1b[0m');
  });

  it('keeps tabs and drops the CR of a CRLF end', () => {
    assert.equal(filterLine('a\tb'), 'a\tb');
  });

  for (const [name, text] of [
    ['clear screen', '\x1b[2J'],
    ['cursor up', '\x1b[1A'],
    ['window title', '\x1b]0;owned\x07'],
    ['clipboard (OSC 52)', '\x1b]52;c;ZXZpbA==\x07'],
    ['device control', '\x1bPq\x1b\\'],
    ['answerback (DECRQSS)', '\x1b[6n'],
    ['C1 CSI', '\x9b2J'],
    ['carriage return', 'a\rforged'],
    ['backspace', 'a\b\b\bforged'],
    ['newline', 'a\nforged'],
  ] as const) {
    it(`shows ${name} as text`, () => {
      const safe = filterLine(text).replace(/\x1b\[0m$/, '');
      assert.doesNotMatch(safe, /[\x00-\x08\x0a-\x1f\x7f-\x9f]/);
    });
  }
});

describe('TerminalFilter.write()', () => {
  const text = 'a\x1b[32mgreen\x1b[0m\r\nb\x1b]0;t\x07\rc\x1b[2Jd\n';
  const whole = 'a\x1b[32mgreen\x1b[0m\nb\\x1b]0;t\\x07\\rc\\x1b[2Jd\n';

  it('filters a text in one piece', () => {
    const filter = new TerminalFilter();
    assert.equal(filter.write(text) + filter.end(), whole);
  });

  it('filters a text in pieces of any size alike', () => {
    for (let size = 1; size < text.length; size += 1) {
      const filter = new TerminalFilter();
      let safe = '';
      for (let start = 0; start < text.length; start += size)
        safe += filter.write(text.slice(start, start + size));
      assert.equal(safe + filter.end(), whole, `pieces of ${size}`);
    }
  });

  it('shows a sequence that never ends', () => {
    const filter = new TerminalFilter();
    assert.equal(filter.write('a\x1b[3') + filter.end(), 'a\\x1b[3');
    assert.equal(filter.write(`\x1b[${'1'.repeat(100)}`) + filter.end(), `\\x1b[${'1'.repeat(100)}`);
  });
});
