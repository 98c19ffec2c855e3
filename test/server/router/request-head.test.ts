import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { CHUNKED, NO_BODY } from '../../../server/router/body-framing.ts';
import { parseHost } from '../../../server/router/host.ts';
import { Refusal } from '../../../server/router/refusal.ts';
import { type RequestHead, RequestHeadReader } from '../../../server/router/request-head.ts';

const HOST = 'Host: app.example\r\n';

/** Reads a head given without its empty line. `fields`: what is passed on behind the request line. */
function parseRequestHead(text: string): RequestHead & { fields: string } {
  const bytes = Buffer.from(`${text}\r\n`, 'latin1');
  const head = new RequestHeadReader().read(bytes, 0, bytes.length);
  assert.ok(head);
  return { ...head, fields: head.text.slice(head.text.indexOf('\r\n') + 2) };
}

describe('RequestHeadReader.read()', () => {
  it('takes a plain request and passes its fields on as they came, in their order', () => {
    const fields =
      'Host: App.Example:8080\r\nAccept:*/*\r\nx-custom:  a b \r\nCookie: c\r\nAccept: text/html\r\n';
    const head = parseRequestHead(`GET /a?b=%20&&c HTTP/1.1\r\n${fields}`);
    assert.equal(head.method, 'GET');
    assert.equal(head.target, '/a?b=%20&&c');
    assert.equal(head.host, 'app.example');
    assert.equal(head.fields, fields);
    assert.equal(head.body, NO_BODY);
    assert.equal(head.keepAlive, true);
  });

  const refused: [what: string, head: string, status?: number][] = [
    ['HTTP/0.9', 'GET /\r\n'],
    ['HTTP/0.9 by name', `GET / HTTP/0.9\r\n${HOST}`],
    ['HTTP/2', `GET / HTTP/2.0\r\n${HOST}`, 505],
    ['HTTP/1.2', `GET / HTTP/1.2\r\n${HOST}`, 505],
    ['two spaces before the target', `GET  / HTTP/1.1\r\n${HOST}`],
    ['two spaces before the version', `GET /  HTTP/1.1\r\n${HOST}`],
    ['a space before the method', ` GET / HTTP/1.1\r\n${HOST}`],
    ['a tab in the request line', `GET\t/ HTTP/1.1\r\n${HOST}`],
    ['a space after the version', `GET / HTTP/1.1 \r\n${HOST}`],
    ['a lower-case version', `GET / http/1.1\r\n${HOST}`],
    ['# in the target', `GET /a#b HTTP/1.1\r\n${HOST}`],
    ['a byte above ASCII in the target', `GET /\xe4 HTTP/1.1\r\n${HOST}`],
    ['NUL in the target', `GET /\0 HTTP/1.1\r\n${HOST}`],
    ['* for another method than OPTIONS', `GET * HTTP/1.1\r\n${HOST}`],
    ['a target that starts with no slash', `GET a HTTP/1.1\r\n${HOST}`],
    ['another scheme', `GET ftp://app.example/ HTTP/1.1\r\n${HOST}`],
    ['userinfo in the target', `GET http://u@app.example/ HTTP/1.1\r\n${HOST}`],
    ['an empty authority', `GET http:/// HTTP/1.1\r\n${HOST}`],
    ['CONNECT', `CONNECT app.example:80 HTTP/1.1\r\n${HOST}`, 405],
    ['a method that is no token', `G(T / HTTP/1.1\r\n${HOST}`],
    ['a target that is too long', `GET /${'a'.repeat(17_000)} HTTP/1.1\r\n${HOST}`, 414],
    ['too many fields', `GET / HTTP/1.1\r\n${HOST}${'a: b\r\n'.repeat(300)}`, 431],
    ['no Host', 'GET / HTTP/1.1\r\n'],
    ['no Host in HTTP/1.0', 'GET / HTTP/1.0\r\n'],
    ['two Hosts', `GET / HTTP/1.1\r\n${HOST}${HOST}`],
    ['two Hosts, one in other case', `GET / HTTP/1.1\r\n${HOST}hOST: b\r\n`],
    ['an empty Host', 'GET / HTTP/1.1\r\nHost:\r\n'],
    ['a Host with userinfo', 'GET / HTTP/1.1\r\nHost: a@b\r\n'],
    ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n'],
    ['a list of Hosts', 'GET / HTTP/1.1\r\nHost: a, b\r\n'],
    ['a Host with a space', 'GET / HTTP/1.1\r\nHost: a b\r\n'],
    ['a Host with a port that is none', 'GET / HTTP/1.1\r\nHost: a:b\r\n'],
    ['a Host with a port too high', 'GET / HTTP/1.1\r\nHost: a:65536\r\n'],
    ['no Host beside an absolute target', 'GET http://app.example/ HTTP/1.1\r\n'],
    ['a bare CR in a value', `GET / HTTP/1.1\r\n${HOST}A: b\rc\r\n`],
    ['a bare LF in a value', `GET / HTTP/1.1\r\n${HOST}A: b\nC: d\r\n`],
    ['a bare LF after the request line', `GET / HTTP/1.1\n${HOST}`],
    ['NUL in a value', `GET / HTTP/1.1\r\n${HOST}A: b\0\r\n`],
    ['a control character in a value', `GET / HTTP/1.1\r\n${HOST}A: b\x1f\r\n`],
    ['DEL in a value', `GET / HTTP/1.1\r\n${HOST}A: b\x7f\r\n`],
    ['NUL in a name', `GET / HTTP/1.1\r\n${HOST}A\0: b\r\n`],
    ['a space before the first field', `GET / HTTP/1.1\r\n ${HOST}`],
    ['a folded value', `GET / HTTP/1.1\r\n${HOST}A: b\r\n c\r\n`],
    ['a value folded with a tab', `GET / HTTP/1.1\r\n${HOST}A: b\r\n\tc\r\n`],
    ['a space before the colon', `GET / HTTP/1.1\r\n${HOST}A : b\r\n`],
    ['a tab before the colon', `POST / HTTP/1.1\r\n${HOST}Content-Length\t: 3\r\n`],
    ['a field without a name', `GET / HTTP/1.1\r\n${HOST}: b\r\n`],
    ['a field without a colon', `GET / HTTP/1.1\r\n${HOST}A\r\n`],
    ['a name that is no token', `GET / HTTP/1.1\r\n${HOST}A(: b\r\n`],
    ['a name above ASCII', `GET / HTTP/1.1\r\n${HOST}\xc4: b\r\n`],
    ['both lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n`],
    [
      'both lengths the other way round',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n`,
    ],
    [
      'a length of 0 and chunks',
      `POST / HTTP/1.1\r\n${HOST}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n`,
    ],
    ['two different lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 3\r\nContent-Length: 4\r\n`],
    ['the same length twice', `POST / HTTP/1.1\r\n${HOST}Content-Length: 3\r\nContent-Length: 3\r\n`],
    ['a list of lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 3, 3\r\n`],
    ['a signed length', `POST / HTTP/1.1\r\n${HOST}Content-Length: +3\r\n`],
    ['a negative length', `POST / HTTP/1.1\r\n${HOST}Content-Length: -3\r\n`],
    ['a hexadecimal length', `POST / HTTP/1.1\r\n${HOST}Content-Length: 0x3\r\n`],
    ['a length with an exponent', `POST / HTTP/1.1\r\n${HOST}Content-Length: 3e1\r\n`],
    ['a length with spaces in it', `POST / HTTP/1.1\r\n${HOST}Content-Length: 1 2\r\n`],
    ['an empty length', `POST / HTTP/1.1\r\n${HOST}Content-Length:\r\n`],
    ['a length too large', `POST / HTTP/1.1\r\n${HOST}Content-Length: 99999999999999999999\r\n`],
    ['chunks in HTTP/1.0', `POST / HTTP/1.0\r\n${HOST}Transfer-Encoding: chunked\r\n`],
    ['an encoding before chunked', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: gzip, chunked\r\n`],
    ['an encoding after chunked', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked, identity\r\n`],
    ['another encoding', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: identity\r\n`],
    [
      'chunked twice',
      `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n`,
    ],
    ['chunked in quotes', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: "chunked"\r\n`],
    ['chunked behind a vertical tab', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: \x0bchunked\r\n`],
    ['no encoding', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding:\r\n`],
    ['an unknown expectation', `POST / HTTP/1.1\r\n${HOST}Expect: 200-ok\r\nContent-Length: 1\r\n`, 417],
    [
      'a Connection that names Content-Length',
      `POST / HTTP/1.1\r\n${HOST}Connection: content-length\r\nContent-Length: 1\r\n`,
    ],
    ['a Connection that names Host', `GET / HTTP/1.1\r\n${HOST}Connection: Host\r\n`],
    ['a Connection that is no list', `GET / HTTP/1.1\r\n${HOST}Connection: a b\r\n`],
    ['a malformed Max-Forwards', `OPTIONS / HTTP/1.1\r\n${HOST}Max-Forwards: -1\r\n`],
  ];
  for (const [what, head, status = 400] of refused) {
    it(`refuses ${what} with ${status}`, () => {
      assert.throws(
        () => parseRequestHead(head),
        (error) => error instanceof Refusal && error.status === status,
      );
    });
  }

  it('routes an absolute target by itself, and rewrites Host where it stands', () => {
    const head = parseRequestHead(
      'GET http://App.Example:81/x?y HTTP/1.1\r\nA: b\r\nHost: other\r\nC: d\r\n',
    );
    assert.equal(head.host, 'app.example');
    assert.equal(head.target, '/x?y');
    assert.equal(head.fields, 'A: b\r\nHost: App.Example:81\r\nC: d\r\n');
  });

  it('brings absolute targets without a path into origin-form', () => {
    const target = (line: string) => parseRequestHead(`${line} HTTP/1.1\r\n${HOST}`).target;
    assert.equal(target('GET http://a'), '/');
    assert.equal(target('GET http://a?b'), '/?b');
    assert.equal(target('OPTIONS http://a'), '*');
    assert.equal(target('OPTIONS *'), '*');
  });

  it('writes lengths down in the one way that everybody reads alike', () => {
    const sized = parseRequestHead(`POST / HTTP/1.1\r\n${HOST}content-length:\t 007 \r\n`);
    assert.equal(sized.body, 7);
    assert.equal(sized.fields, `${HOST}Content-Length: 7\r\n`);
    const chunked = parseRequestHead(`POST / HTTP/1.1\r\n${HOST}TRANSFER-ENCODING:CHUNKED\r\n`);
    assert.equal(chunked.body, CHUNKED);
    assert.equal(chunked.fields, `${HOST}Transfer-Encoding: chunked\r\n`);
  });

  it('drops what is between two neighbours only, and what Connection names', () => {
    const head = parseRequestHead(
      `GET / HTTP/1.1\r\nConnection: keep-alive, X-Secret\r\n${HOST}Keep-Alive: timeout=5\r\nTE: trailers\r\n` +
        'x-secret: 1\r\nTrailer: a\r\nProxy-Connection: close\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nProxy: evil\r\nB: c\r\n',
    );
    assert.equal(head.fields, `${HOST}B: c\r\n`);
    assert.equal(head.upgrade, false);
  });

  it('keeps the list of X-Forwarded-For, drops the other forwarded fields and their look-alikes', () => {
    const head = parseRequestHead(
      `GET / HTTP/1.1\r\n${HOST}X-Forwarded-For: 1.1.1.1\r\nx-forwarded-for: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n` +
        'X-Forwarded-Host: evil\r\nForwarded: for=3.3.3.3\r\nX-Real-IP: 4.4.4.4\r\nX_Forwarded_For: 5\r\nX.Forwarded.For: 6\r\n' +
        'X_Forwarded-Host: 7\r\nX-Request-Start: 8\r\nContent_Length: 9\r\nTransfer_Encoding: chunked\r\nX_Custom: kept\r\n',
    );
    assert.equal(head.forwardedFor, '1.1.1.1, 2.2.2.2');
    assert.equal(head.fields, `${HOST}X_Custom: kept\r\n`);
  });

  it('forgets an X-Forwarded-For that Connection names', () => {
    const head = parseRequestHead(
      `GET / HTTP/1.1\r\n${HOST}X-Forwarded-For: 1.1.1.1\r\nConnection: X-Forwarded-For\r\n`,
    );
    assert.equal(head.forwardedFor, undefined);
  });

  it('keeps a well-formed request id only', () => {
    const id = (value: string) =>
      parseRequestHead(`GET / HTTP/1.1\r\n${HOST}X-Request-Id: ${value}\r\n`).requestId;
    assert.equal(id('0123456789abcdef-0123'), '0123456789abcdef-0123');
    assert.equal(id('short'), '');
    assert.equal(id('0123456789"abcdef 0123'), '');
  });

  it('knows when a connection is kept', () => {
    const kept = (version: string, value: string) =>
      parseRequestHead(`GET / HTTP/${version}\r\n${HOST}Connection: ${value}\r\n`).keepAlive;
    assert.equal(kept('1.1', 'Close'), false);
    assert.equal(kept('1.1', 'upgrade, close'), false);
    assert.equal(kept('1.1', ''), true);
    assert.equal(kept('1.0', 'Keep-Alive'), true);
    assert.equal(kept('1.0', ''), false);
    assert.equal(kept('1.0', 'keep-alive, close'), false);
  });

  it('takes an upgrade to WebSocket, by GET, and no other', () => {
    const upgrade = (line: string, value: string, more = '') =>
      parseRequestHead(`${line}\r\n${HOST}Connection: Upgrade\r\nUpgrade: ${value}\r\n${more}`).upgrade;
    assert.equal(upgrade('GET / HTTP/1.1', 'WebSocket'), true);
    assert.equal(upgrade('POST / HTTP/1.1', 'websocket'), false);
    assert.equal(upgrade('GET / HTTP/1.0', 'websocket'), false);
    assert.equal(upgrade('GET / HTTP/1.1', 'h2c'), false);
    assert.equal(upgrade('GET / HTTP/1.1', 'websocket, h2c'), false);
    assert.equal(upgrade('GET / HTTP/1.1', 'websocket', 'Content-Length: 3\r\n'), false);
  });

  it('counts Max-Forwards down for OPTIONS and TRACE', () => {
    const parse = (method: string, left: number) =>
      parseRequestHead(`${method} / HTTP/1.1\r\n${HOST}Max-Forwards: ${left}\r\n`);
    assert.equal(parse('OPTIONS', 3).fields, `${HOST}Max-Forwards: 2\r\n`);
    assert.equal(parse('TRACE', 0).isForRouter, true);
    assert.equal(parse('GET', 0).isForRouter, false);
  });
});

describe('parseHost()', () => {
  it('brings a host to the form that routes have', () => {
    assert.equal(parseHost('APP.Example.'), 'app.example');
    assert.equal(parseHost('app.example:443'), 'app.example');
    assert.equal(parseHost('app.example:'), 'app.example');
    assert.equal(parseHost('xn--bcher-kva.example'), 'xn--bcher-kva.example');
    assert.equal(parseHost('[::1]:80'), '[::1]');
  });

  for (const host of [
    '',
    '.',
    'a..b',
    '.a',
    'a,b',
    'b\u00fccher',
    'a%41',
    '[::1',
    '-a',
    'a:1:2',
    'a'.repeat(256),
  ]) {
    it(`refuses ${JSON.stringify(host.slice(0, 20))}`, () => {
      assert.throws(() => parseHost(host), Refusal);
    });
  }
});
