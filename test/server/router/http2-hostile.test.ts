import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'mocha';
import { END_HEADERS, FRAME } from './http2-fixture.ts';
import { Http2Suite } from './http2-suite.ts';
import { closing, delay, eventually, tableOf } from './router-fixture.ts';

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const POST: [string, string][] = [
  [':method', 'POST'],
  [':scheme', 'https'],
  [':authority', 'app.localhost'],
  [':path', '/'],
];
const NO_ERROR = Buffer.alloc(4);

describe('HTTP/2, hostile', function () {
  this.timeout(30_000);
  const suite = new Http2Suite('app.localhost');

  async function get(path: string): Promise<{ status: number | undefined; body: string; code: number }> {
    const session = suite.open();
    const stream = session.request({ ':authority': 'app.localhost', ':path': path });
    const got = { status: undefined as number | undefined, body: '', code: 0 };
    stream.setEncoding('latin1');
    stream.on('response', (headers) => {
      got.status = headers[':status'];
    });
    stream.on('data', (piece: string) => {
      got.body += piece;
    });
    stream.on('error', () => {});
    await once(stream, 'close').catch(() => {});
    return { ...got, code: stream.rstCode ?? -1 };
  }

  it('fields that Node refuses to send end neither hints nor answers nor trailers', async () => {
    const NAMES = ['Range', 'User-Agent', 'Host', 'If-Match', 'Authorization', '__proto__', 'constructor'];
    const fields = NAMES.map((name) => `${name}: a\r\n${name}: b\r\n`).join('');
    await suite.start((socket, text) => {
      if (text.startsWith('GET /hints')) socket.write(`HTTP/1.1 103 Early Hints\r\n${fields}\r\n${OK}`);
      else if (text.startsWith('GET /answer')) socket.write(OK.replace('\r\n\r\n', `\r\n${fields}\r\n`));
      else socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n${fields}\r\n`);
    });
    for (const path of ['/hints', '/answer', '/trailers'])
      assert.deepEqual(await get(path), { status: 200, body: 'ok', code: 0 }, path);
  });

  it('a 205 goes without what its app sends as a body', async () => {
    await suite.start((socket) => socket.write('HTTP/1.1 205 Reset\r\nContent-Length: 2\r\n\r\nok'));
    assert.deepEqual(await get('/'), { status: 205, body: '', code: 0 });
  });

  it('a body that the client gives up is not passed on as a whole one', async () => {
    await suite.start(() => {});
    const client = await suite.frames();
    client.request(1, POST, END_HEADERS);
    client.send(FRAME.data, { stream: 1, payload: Buffer.from('part') });
    await eventually(() => (/part/.test(suite.backend.all) ? true : undefined), 'the part');
    client.send(FRAME.reset, { stream: 1, payload: NO_ERROR });
    await suite.router.line(/code=H27/);
    await closing(suite.backend.sockets[0]!);
    assert.doesNotMatch(suite.backend.all, /\r\n0\r\n/);
  });

  it('a client that is gone is no connection, and its request given up', async () => {
    await suite.start(() => {}, { halfClosed: 100 });
    const [idle, busy] = [await suite.frames(), await suite.frames()];
    busy.request(1, [[':method', 'GET'], ...POST.slice(1)]);
    await eventually(() => suite.backend.sockets[0], 'the request');
    for (const { socket } of [idle, busy]) socket.end();
    await suite.router.line(/code=H27/);
    await eventually(() => (suite.router.connections === 0 ? true : undefined), 'no connections');
    await closing(suite.backend.sockets[0]!);
  });

  it('a request that is given up while it waits is over', async () => {
    await suite.start(() => {}, { booting: 300 });
    suite.router.routes.swap(suite.withCertificate(tableOf([], { state: 'booting' })));
    const client = await suite.frames();
    client.request(1, POST, END_HEADERS);
    client.send(FRAME.data, { stream: 1, payload: Buffer.alloc(16000, 'x') });
    client.send(FRAME.data, { stream: 1, payload: Buffer.alloc(16000, 'x') });
    await delay(50);
    client.send(FRAME.reset, { stream: 1, payload: NO_ERROR });
    await suite.router.line(/code=H27/);
    await delay(500);
    client.request(3, POST);
    await suite.router.line(/code=H20/);
  });
});
