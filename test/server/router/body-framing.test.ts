import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  CHUNKED,
  chunks,
  FramingError,
  framingOf,
  NO_BODY,
  UNTIL_CLOSE,
} from '../../../server/router/body-framing.ts';

/** What is passed on of `text`, fed in pieces of `size` bytes; and what is left behind the end. */
function feed(framing: ReturnType<typeof framingOf>, text: string, size = text.length) {
  const out: Buffer[] = [];
  let used = 0;
  while (used < text.length && !framing.done) {
    const piece = Buffer.from(text.slice(used, used + size), 'latin1');
    used += framing.feed(piece, 0, out);
  }
  return { passed: Buffer.concat(out).toString('latin1'), rest: text.slice(used), done: framing.done };
}

describe('framingOf()', () => {
  it('ends a body after its length', () => {
    assert.deepEqual(feed(framingOf(5), 'helloGET'), { passed: 'hello', rest: 'GET', done: true });
    assert.deepEqual(feed(framingOf(5), 'hel'), { passed: 'hel', rest: '', done: false });
    assert.equal(framingOf(0).done, true);
    assert.equal(framingOf(NO_BODY).done, true);
  });

  it('ends an open body never', () => {
    assert.deepEqual(feed(framingOf(UNTIL_CLOSE), 'abc', 1), { passed: 'abc', rest: '', done: false });
  });

  const body = '5\r\nhello\r\n0A\r\n0123456789\r\n0\r\n\r\n';
  for (const size of [1, 2, 3, 7, 1000]) {
    it(`passes chunks on as they are, in pieces of ${size}`, () => {
      assert.deepEqual(feed(framingOf(CHUNKED), `${body}GET`, size), {
        passed: body,
        rest: 'GET',
        done: true,
      });
    });

    it(`takes the framing off for HTTP/1.0, in pieces of ${size}`, () => {
      const framing = framingOf(CHUNKED, { decode: true });
      assert.deepEqual(feed(framing, `${body}GET`, size), {
        passed: 'hello0123456789',
        rest: 'GET',
        done: true,
      });
    });

    it(`drops chunk extensions, in pieces of ${size}`, () => {
      const extended = '5;a="b";c\r\nhello\r\n0;x\r\n\r\n';
      assert.equal(feed(framingOf(CHUNKED), extended, size).passed, '5\r\nhello\r\n0\r\n\r\n');
    });

    it(`passes trailers on, but none that counts in a head, in pieces of ${size}`, () => {
      const trailers =
        'X-Sum: 1\r\nContent-Length: 9\r\nhost: evil\r\nX-Forwarded-For: 1\r\nX_Forwarded_For: 2\r\nAuthorization: x\r\nB: c\r\n';
      const result = feed(framingOf(CHUNKED), `0\r\n${trailers}\r\nGET`, size);
      assert.deepEqual(result, { passed: '0\r\nX-Sum: 1\r\nB: c\r\n\r\n', rest: 'GET', done: true });
    });
  }

  const malformed: [what: string, text: string][] = [
    ['no size', '\r\nabc'],
    ['a size that is no number', 'xyz\r\n'],
    ['a signed size', '+5\r\nhello\r\n'],
    ['a size with 0x', '0x5\r\nhello\r\n'],
    ['a space before the size', ' 5\r\nhello\r\n'],
    ['a space after the size', '5 \r\nhello\r\n'],
    ['a size that overflows', '10000000000000005\r\nhello\r\n'],
    ['a size with too many zeros', '00000000000000005\r\nhello\r\n'],
    ['a bare LF after the size', '5\nhello\r\n'],
    ['a bare CR after the size', '5\rhello\r\n'],
    ['a bare LF in an extension', '5;a\nhello\r\n'],
    ['a bare CR in an extension', '5;a\rb\r\nhello\r\n'],
    ['NUL in an extension', '5;\0\r\nhello\r\n'],
    ['an extension without end', `5;${'a'.repeat(300)}`],
    ['data longer than its size', '5\r\nhello!\r\n'],
    ['data without CRLF', '5\r\nhello0\r\n\r\n'],
    ['a bare LF after the data', '5\r\nhello\n0\r\n\r\n'],
    ['a malformed trailer', '0\r\na b\r\n\r\n'],
    ['a folded trailer', '0\r\na: b\r\n c\r\n\r\n'],
    ['a bare LF in the trailers', '0\r\na: b\n\r\n\r\n'],
    ['a bare LF as the end', '0\r\n\n'],
    ['trailers without end', `0\r\n${'a: b\r\n'.repeat(2000)}`],
  ];
  for (const [what, text] of malformed) {
    it(`refuses ${what}`, () => {
      assert.throws(() => feed(framingOf(CHUNKED), text), FramingError);
      assert.throws(() => feed(framingOf(CHUNKED), text, 1), FramingError);
      assert.throws(() => feed(framingOf(CHUNKED, { decode: true }), text, 2), FramingError);
    });
  }
});

describe('chunks.wrap()', () => {
  it('makes one chunk of the pieces, and none of nothing', () => {
    const wrapped = Buffer.concat(chunks.wrap([Buffer.from('ab'), Buffer.from('cdefghijkl')]));
    assert.equal(String(wrapped), 'c\r\nabcdefghijkl\r\n');
    assert.deepEqual(chunks.wrap([]), []);
  });
});
