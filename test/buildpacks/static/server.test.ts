import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { after, before, describe, it } from 'mocha';

const program = fileURLToPath(new URL('../../../buildpacks/static/server.js', import.meta.url));
const big = randomBytes(3 * 1024 * 1024);
const page = `<h1>${'home '.repeat(1000)}</h1>`;

describe('static server', () => {
  let folder: string;
  let child: ChildProcess;
  let port: number;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'static-server-'));
    const files: Record<string, string | Buffer> = {
      'secret.txt': 'secret',
      'site/index.html': page,
      'site/404.html': 'own 404',
      'site/a b/ü.txt': 'umlaut',
      'site/docs/index.html': 'docs',
      'site/empty.css': '',
      'site/app.3f2a9c01.js': 'x',
      'site/logo.svg': '<svg/>',
      'site/big.bin': big,
      'site/.env': 'hidden',
      'site/.well-known/security.txt': 'contact',
      'site/Procfile': 'web: x',
    };
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    }
    symlinkSync('../secret.txt', join(folder, 'site/escape.txt'));
    symlinkSync('..', join(folder, 'site/parent'));
    symlinkSync('.env', join(folder, 'site/env.txt'));
    child = spawn(process.execPath, [program, join(folder, 'site')], { env: { PORT: '0' } });
    const [line] = await once(child.stdout!, 'data');
    port = Number(/port (\d+)/.exec(String(line))![1]);
  });

  after(() => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  interface Answer {
    status: number;
    headers: IncomingHttpHeaders;
    body: Buffer;
  }

  /** Sends the path as it is: `fetch` would resolve `..` itself. */
  async function get(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
    const sent = request({ port, path, headers, method }).end();
    const [response] = await once(sent, 'response');
    const body = Buffer.concat(await response.toArray());
    return { status: response.statusCode, headers: response.headers, body };
  }

  const types = {
    '/': 'text/html; charset=utf-8',
    '/index.html': 'text/html; charset=utf-8',
    '/a%20b/%C3%BC.txt': 'text/plain; charset=utf-8',
    '/logo.svg?v=1': 'image/svg+xml',
    '/empty.css': 'text/css; charset=utf-8',
    '/big.bin': 'application/octet-stream',
    '/docs/': 'text/html; charset=utf-8',
    '/.well-known/security.txt': 'text/plain; charset=utf-8',
  };
  for (const [path, type] of Object.entries(types)) {
    it(`serves ${path} as ${type}`, async () => {
      const { status, headers } = await get(path);
      assert.equal(status, 200);
      assert.equal(headers['content-type'], type);
      assert.equal(headers['x-content-type-options'], 'nosniff');
    });
  }

  const missing = [
    '/none',
    '/.env',
    '/env.txt',
    '/Procfile',
    '/escape.txt',
    '/parent/secret.txt',
    '/docs/index.html/',
    '//docs/',
    '/docs//index.html',
    '/index.html/x',
    '/parent',
    `/${'x'.repeat(5000)}`,
  ];
  for (const path of missing) {
    it(`answers ${path.slice(0, 30)} with the site's own 404 page`, async () => {
      const { status, body, headers } = await get(path);
      assert.equal(status, 404);
      assert.equal(String(body), 'own 404');
      assert.equal(headers.etag, undefined);
    });
  }

  const bad = [
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/docs/..%2f..%2fsecret.txt',
    '/%',
    '/a%00',
    '/./x',
    '*',
  ];
  for (const path of bad) {
    it(`refuses ${path}`, async () => assert.equal((await get(path)).status, 400));
  }

  it('redirects a folder to its slash, and only within the site', async () => {
    const { status, headers } = await get('/docs?x=1');
    assert.deepEqual([status, headers.location], [301, '/docs/?x=1']);
  });

  it('answers HEAD as GET, without the body', async () => {
    const [full, head] = [await get('/'), await get('/', {}, 'HEAD')];
    assert.equal(head.body.length, 0);
    assert.equal(head.headers['content-length'], String(full.body.length));
    assert.equal(head.headers.etag, full.headers.etag);
  });

  it('refuses other methods', async () => {
    const { status, headers } = await get('/', {}, 'POST');
    assert.deepEqual([status, headers.allow], [405, 'GET, HEAD']);
  });

  it('answers 304 to what the visitor has', async () => {
    const { headers } = await get('/');
    const etag = headers.etag!;
    for (const tags of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const answer = await get('/', { 'If-None-Match': tags });
      assert.deepEqual([answer.status, answer.body.length], [304, 0], tags);
      assert.equal(answer.headers.etag, etag);
    }
    const modified = headers['last-modified']!;
    assert.equal((await get('/', { 'If-Modified-Since': modified })).status, 304);
    assert.equal((await get('/', { 'If-None-Match': '"x"', 'If-Modified-Since': modified })).status, 200);
    assert.equal((await get('/', { 'If-Modified-Since': new Date(1e12).toUTCString() })).status, 200);
  });

  it('gives another ETag as soon as the content is another', async () => {
    const path = join(folder, 'site/changing.txt');
    writeFileSync(path, 'one');
    const one = (await get('/changing.txt')).headers.etag;
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(path, 'two');
    const two = await get('/changing.txt', { 'If-None-Match': one! });
    assert.deepEqual([two.status, String(two.body)], [200, 'two']);
  });

  it('lets only names with a hash be kept', async () => {
    assert.match((await get('/app.3f2a9c01.js')).headers['cache-control']!, /immutable/);
    assert.equal((await get('/')).headers['cache-control'], 'public, max-age=0, must-revalidate');
  });

  it('compresses text for those who take it', async () => {
    const { headers, body } = await get('/', { 'Accept-Encoding': 'br, gzip;q=0.5' });
    assert.equal(headers['content-encoding'], 'gzip');
    assert.equal(headers.vary, 'Accept-Encoding');
    assert.ok(body.length < page.length / 10);
    assert.equal(String(gunzipSync(body)), page);
    assert.notEqual(headers.etag, (await get('/')).headers.etag);
    assert.equal((await get('/', { 'Accept-Encoding': 'gzip;q=0' })).headers['content-encoding'], undefined);
  });

  const ranges: [range: string, from: number, to: number][] = [
    ['bytes=0-9', 0, 9],
    ['bytes=3000000-', 3_000_000, big.length - 1],
    ['bytes=-5', big.length - 5, big.length - 1],
    ['bytes=5-99999999', 5, big.length - 1],
  ];
  for (const [range, from, to] of ranges) {
    it(`serves ${range}`, async () => {
      const { status, headers, body } = await get('/big.bin', { Range: range });
      assert.equal(status, 206);
      assert.equal(headers['content-range'], `bytes ${from}-${to}/${big.length}`);
      assert.ok(body.equals(big.subarray(from, to + 1)));
    });
  }

  it('refuses ranges after the end, and ignores odd ones', async () => {
    assert.equal((await get('/big.bin', { Range: 'bytes=99999999-' })).status, 416);
    assert.equal((await get('/empty.css', { Range: 'bytes=0-' })).status, 416);
    for (const range of ['bytes=5-1', 'bytes=-', 'bytes=0-1,5-6', 'lines=1-2']) {
      assert.equal((await get('/big.bin', { Range: range })).status, 200, range);
    }
    assert.equal((await get('/big.bin', { Range: 'bytes=0-1', 'If-Range': '"old"' })).status, 200);
  });

  it('streams large files whole', async () => {
    const { body } = await get('/big.bin');
    const digest = (data: Buffer) => createHash('sha256').update(data).digest('hex');
    assert.equal(digest(body), digest(big));
  });

  it('ends on SIGTERM with status 0', async () => {
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });
});
