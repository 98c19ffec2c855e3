import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { CHUNKED, NO_BODY, UNTIL_CLOSE } from '../../../server/router/body-framing.ts';
import { BadResponse, ResponseHeadReader } from '../../../server/router/response-head.ts';

/** Reads a head given without its empty line. */
function parse(text: string, method = 'GET') {
  const bytes = Buffer.from(`${text}\r\n`, 'latin1');
  const head = new ResponseHeadReader().read(bytes, 0, bytes.length, method);
  assert.ok(head);
  return head;
}

describe('ResponseHeadReader.read()', () => {
  it('passes fields on in their order, without those for the router alone', () => {
    const head = parse(
      'HTTP/1.1 404 Nope\r\nSet-Cookie: a\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\n' +
        'Content-Length: 3\r\nSet-Cookie: b\r\nDate: x\r\nTrailer: y\r\n',
    );
    const fields = 'Set-Cookie: a\r\nContent-Length: 3\r\nSet-Cookie: b\r\nDate: x\r\n';
    assert.equal(head.text, `HTTP/1.1 404 Nope\r\n${fields}`);
    assert.equal(head.body, 3);
    assert.equal(head.keepAlive, 4000);
    assert.equal(head.hasDate, true);
  });

  it('finds how the body ends', () => {
    const body = (text: string, method?: string) => parse(`HTTP/1.1 ${text}`, method).body;
    assert.equal(body('200 OK\r\nTransfer-Encoding: chunked\r\n'), CHUNKED);
    assert.equal(body('200 OK\r\n'), UNTIL_CLOSE);
    assert.equal(body('200 OK\r\nContent-Length: 5\r\n', 'HEAD'), NO_BODY);
    assert.equal(body('304 Not Modified\r\nContent-Length: 5\r\n'), NO_BODY);
    assert.equal(body('204 No Content\r\n'), NO_BODY);
    assert.equal(body('103 Early Hints\r\n'), NO_BODY);
  });

  it('knows how long the connection may be kept', () => {
    const kept = (text: string) => parse(`HTTP/1.${text}`).keepAlive;
    assert.equal(kept('1 200 OK\r\n'), undefined);
    assert.equal(kept('1 200 OK\r\nConnection: close\r\n'), 0);
    assert.equal(kept('1 200 OK\r\nKeep-Alive: timeout=1\r\n'), 0);
    assert.equal(kept('1 200 OK\r\nKeep-Alive: max=3, timeout=20\r\n'), 19_000);
    assert.equal(kept('1 200 OK\r\nKeep-Alive: timeout=9999\r\n'), 60_000);
    assert.equal(kept('0 200 OK\r\n'), 0);
    assert.equal(kept('0 200 OK\r\nConnection: keep-alive\r\n'), undefined);
  });

  it('takes a status line without a reason', () => {
    assert.equal(parse('HTTP/1.1 200\r\n').status, 200);
    assert.equal(parse('HTTP/1.1 200 \r\n').status, 200);
  });

  const refused: [what: string, text: string, status: 502 | 503][] = [
    ['another protocol', 'SSH-2.0-x\r\n', 503],
    ['another version', 'HTTP/2 200 OK\r\n', 503],
    ['a status of four digits', 'HTTP/1.1 2000 OK\r\n', 503],
    ['a status below 100', 'HTTP/1.1 099 OK\r\n', 503],
    ['both lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n', 502],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n', 502],
    ['a malformed length', 'HTTP/1.1 200 OK\r\nContent-Length: 1,1\r\n', 502],
    ['another encoding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n', 502],
    ['chunked twice', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', 502],
    ['chunks in HTTP/1.0', 'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n', 502],
    ['a folded field', 'HTTP/1.1 200 OK\r\nA: b\r\n c\r\n', 502],
    ['a bare CR', 'HTTP/1.1 200 OK\r\nA: b\rc\r\n', 502],
    ['NUL', 'HTTP/1.1 200 OK\r\nA: b\0\r\n', 502],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nContent-Length : 1\r\n', 502],
    [
      'a Connection that names Content-Length',
      'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: content-length\r\n',
      502,
    ],
  ];
  for (const [what, text, status] of refused) {
    it(`refuses ${what} with ${status}`, () => {
      assert.throws(
        () => parse(text),
        (error) => error instanceof BadResponse && error.status === status,
      );
    });
  }
});
