import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'mocha';
import { fuzz, malformedStreams, type Tally, type Way } from './fuzz/fuzz-run.ts';
import { RecordingBackend } from './fuzz/recording-backend.ts';
import { delay, eventually, sendRaw, TestRouter } from './router-fixture.ts';

// FUZZ_CASES=100000 FUZZ_SEED=7: how many, and which ones.
const CASES = Number(process.env.FUZZ_CASES ?? 400);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);

describe(`malformed requests (${CASES} of seed ${SEED})`, function () {
  this.timeout(60_000 + CASES * 100);
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  async function startBackend(): Promise<RecordingBackend> {
    const backend = await RecordingBackend.start();
    cleanups.push(() => backend.stop());
    return backend;
  }

  it('reach the app as the letter of the RFC has them, or not at all; nginx agrees on those that both take', async () => {
    const backend = await startBackend();
    const router = await TestRouter.start({ halfClosed: 20_000 });
    cleanups.push(() => router.stop());
    router.serve([backend.port]);
    const other = hasNginx() ? await startNginx() : undefined;
    if (!other) console.log('      nginx is not installed: compared with the reference alone');

    const tally = await fuzz({ cases: CASES, seed: SEED, way: { backend, port: router.port }, other });
    console.log(`      ${summary(tally)}`);
    assert.deepEqual(tally.findings.slice(0, 3), []);
    assert.deepEqual(tally.different.slice(0, 3), []);
    assert.deepEqual(malformedStreams(backend).slice(0, 3), []);

    // Nothing is left over, and it serves on.
    await eventually(
      () => (router.routes.upstreams.inFlight().length === 0 ? true : undefined),
      'no request in flight',
    );
    await eventually(() => (router.connections === 0 ? true : undefined), 'no connection of a client');
    const answer = await sendRaw(
      router.port,
      'GET /on HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n',
    );
    assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*\/on$/);
  });

  it('would be found out if they passed: the same without the router', async () => {
    const backend = await startBackend();
    const server = createServer((client) => {
      const app = connect(backend.port, '127.0.0.1');
      for (const socket of [client, app]) socket.on('error', () => socket.destroy());
      client.pipe(app).pipe(client);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => server.close());
    const way = { backend, port: (server.address() as AddressInfo).port };
    const tally = await fuzz({ cases: Math.min(CASES, 400), seed: SEED, way });
    assert.ok(tally.findings.some(({ what }) => what === 'passed on though it should not'));
  });

  async function startNginx(): Promise<Way> {
    const backend = await startBackend();
    const folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
    const port = await freePort();
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${folder}/${name};`,
    );
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log crit;
events { worker_connections 1024; }
http { access_log off; ${temp.join(' ')} upstream app { server 127.0.0.1:${backend.port}; keepalive 32; }
server { listen 127.0.0.1:${port} default_server; return 404; }
server { listen 127.0.0.1:${port}; server_name app.localhost; location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection "";
proxy_set_header Host $host; proxy_ignore_client_abort on; proxy_next_upstream off; } } }\n`,
    );
    const argv = ['-p', folder, '-e', join(folder, 'error.log'), '-c', join(folder, 'nginx.conf')];
    const nginx = spawn('nginx', argv, { stdio: 'ignore' });
    const ended = once(nginx, 'exit');
    cleanups.push(async () => {
      nginx.kill();
      await ended;
      rmSync(folder, { recursive: true });
    });
    for (let tries = 0; tries < 200 && !(await isOpen(port)); tries++) await delay(25);
    return { backend, port };
  }
});

function summary({ cases, passed, same, stricter, laxer, different }: Tally): string {
  return `${cases} cases, ${passed} requests reached the app; beside nginx: ${same} the same, ${stricter} stricter, ${laxer} laxer, ${different.length} different`;
}

function hasNginx(): boolean {
  try {
    execFileSync('nginx', ['-v'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });
}
