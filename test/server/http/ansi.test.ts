import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseAnsi } from '../../../server/http/ansi.ts';

describe('parseAnsi()', () => {
  const cases: [title: string, line: string, segments: unknown][] = [
    ['keeps plain text', 'a <b> & c', ['a <b> & c']],
    ['has nothing for an empty line', '', []],
    ['splits at colours', '\x1b[31mred\x1b[0m plain', [['fg-red', 'red'], ' plain']],
    [
      'adds weights to colours',
      '\x1b[1;32mok\x1b[22m!',
      [
        ['fg-green bold', 'ok'],
        ['fg-green', '!'],
      ],
    ],
    ['shows bright colours bold', '\x1b[91mx', [['fg-red bold', 'x']]],
    ['skips 256 and 16 M colours', '\x1b[38;5;196ma\x1b[38;2;1;2;3mb', ['a', 'b']],
    ['goes on after them', '\x1b[38;5;196;1ma', [['bold', 'a']]],
    [
      'drops cursor movements and titles',
      'a\x1b[2Kb\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d',
      ['a', 'b', 'c', 'd'],
    ],
    ['drops an escape that never ends', 'a\x1b]0;title', ['a']],
    ['keeps the last state of a line that redraws itself', '10%\r50%\r100%\r', ['100%']],
    ['replaces controls and direction marks', 'a\x00b\u202ec\x9bd', ['a\ufffdb\ufffdc\ufffdd']],
    ['keeps tabs', 'a\tb', ['a\tb']],
  ];
  for (const [title, line, segments] of cases) {
    it(title, () => assert.deepEqual(parseAnsi(line), segments));
  }

  it('leaves no escape and only its own class names, whatever comes (10,000 lines)', () => {
    const alphabet = [
      '\x1b',
      '[',
      ']',
      ';',
      'm',
      '3',
      '1',
      '9',
      '\x07',
      '\\',
      '<',
      '"',
      'K',
      '\r',
      '\x9b',
      'é',
      ' ',
    ];
    for (let n = 0; n < 10_000; n++) {
      const line = Array.from(
        { length: 30 },
        () => alphabet[Math.floor(Math.random() * alphabet.length)],
      ).join('');
      for (const segment of parseAnsi(line)) {
        const [classes, text] = typeof segment === 'string' ? ['', segment] : segment;
        assert.match(classes, /^[a-z -]*$/, JSON.stringify(line));
        assert.doesNotMatch(text, /\p{Cc}/u, JSON.stringify(line));
      }
    }
  });

  it('cuts lines that are too long', () => {
    assert.equal(String(parseAnsi('x'.repeat(50_000))[0]).length, 10_001);
  });
});
