import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, describe, it } from 'mocha';
import type { Limits } from '../../../server/router/limits.ts';
import {
  answerEach,
  closedPort,
  closing,
  delay,
  eventually,
  RawBackend,
  RawClient,
  sendRaw,
  TestRouter,
} from './router-fixture.ts';

const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n';
const GET_CLOSE = 'GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n';
const POST = 'POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 2\r\n\r\nhi';
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('Exchange', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  async function startRouter(limits: Partial<Limits> = {}): Promise<TestRouter> {
    const router = await TestRouter.start(limits);
    cleanups.push(() => router.stop());
    return router;
  }

  async function startBackend(...args: Parameters<typeof RawBackend.start>): Promise<RawBackend> {
    const backend = await RawBackend.start(...args);
    cleanups.push(() => backend.stop());
    return backend;
  }

  /** A router with one dyno that answers like this. */
  async function start(
    answer?: Parameters<typeof RawBackend.start>[0],
    limits?: Partial<Limits>,
  ): Promise<{ router: TestRouter; backend: RawBackend }> {
    const router = await startRouter(limits);
    const backend = await startBackend(answer);
    router.serve([backend.port]);
    return { router, backend };
  }

  async function startNode(
    handler: (server: Server) => void,
    limits?: Partial<Limits>,
  ): Promise<{ router: TestRouter; port: number }> {
    const server = createServer();
    handler(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => {
      server.closeAllConnections();
      server.close();
    });
    const router = await startRouter(limits);
    router.serve([(server.address() as AddressInfo).port]);
    return { router, port: (server.address() as AddressInfo).port };
  }

  describe('heads', () => {
    it('adds what the app is to know about the request', async () => {
      const { router, backend } = await start();
      const before = Date.now();
      await sendRaw(
        router.port,
        'GET /x HTTP/1.1\r\nHost: app.localhost\r\nX-Forwarded-For: 9.9.9.9\r\nVia: 1.1 cdn\r\nConnection: close\r\n\r\n',
      );
      assert.match(
        backend.all,
        new RegExp(
          '^GET /x HTTP/1\\.1\r\nHost: app\\.localhost\r\nX-Forwarded-For: 9\\.9\\.9\\.9, 127\\.0\\.0\\.1\r\nX-Forwarded-Proto: http\r\n' +
            `X-Forwarded-Port: ${router.port}\r\nVia: 1\\.1 cdn, 1\\.1 paas\r\nX-Request-Id: [0-9a-f-]{36}\r\nX-Request-Start: \\d{13}\r\n\r\n$`,
        ),
      );
      const started = Number(/X-Request-Start: (\d+)/.exec(backend.all)![1]);
      assert.ok(started >= before && started <= Date.now());
    });

    it('logs the request, with the id that the app saw', async () => {
      const { router, backend } = await start();
      await sendRaw(router.port, GET_CLOSE);
      const id = /X-Request-Id: (.*)\r/.exec(backend.all)![1];
      const line = await router.line(/at=info/);
      assert.match(
        line,
        new RegExp(
          `^at=info method=GET path="/" host=app\\.localhost request_id=${id} fwd="127\\.0\\.0\\.1" dyno=web\\.1 connect=\\d+ms service=\\d+ms status=200 bytes=2 protocol=http$`,
        ),
      );
    });

    it('keeps the order of fields in the response, adds Date, drops what is for the router', async () => {
      const { router } = await start((socket) =>
        socket.write(
          'HTTP/1.1 200 Fine\r\nB: 1\r\nConnection: keep-alive\r\nA: 2\r\nKeep-Alive: timeout=5\r\nContent-Length: 0\r\nB: 3\r\n\r\n',
        ),
      );
      assert.match(
        await sendRaw(router.port, GET_CLOSE),
        /^HTTP\/1\.1 200 Fine\r\nB: 1\r\nA: 2\r\nContent-Length: 0\r\nB: 3\r\nDate: [^\r]+ GMT\r\nConnection: close\r\n\r\n$/,
      );
    });

    it('finds the app whatever way its host is written', async () => {
      const { router } = await start();
      for (const host of ['APP.localhost', 'app.localhost.', 'app.localhost:1234']) {
        const answer = await sendRaw(
          router.port,
          `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
        );
        assert.match(answer, /ok$/, host);
      }
    });

    it('answers 404 to an unknown host, naming no app, and keeps the connection', async () => {
      const { router } = await start();
      const answer = await sendRaw(router.port, `GET / HTTP/1.1\r\nHost: x\r\n\r\n${GET_CLOSE}`);
      assert.match(answer, /^HTTP\/1\.1 404 Not Found\r\n/);
      assert.match(answer, /ok$/);
      assert.ok(!answer.includes('app.localhost'));
    });

    it('answers OPTIONS and TRACE itself when Max-Forwards is 0', async () => {
      const { router, backend } = await start();
      const ask = (method: string) =>
        sendRaw(
          router.port,
          `${method} / HTTP/1.1\r\nHost: app.localhost\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n`,
        );
      assert.match(await ask('OPTIONS'), /^HTTP\/1\.1 200 /);
      assert.match(await ask('TRACE'), /^HTTP\/1\.1 405 /);
      assert.equal(backend.all, '');
    });
  });

  describe('bodies', () => {
    it('streams a response as it comes', async () => {
      const { router, backend } = await start((socket) =>
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n'),
      );
      const client = await RawClient.connect(router.port);
      client.send(GET);
      await client.until(/3\r\none\r\n$/);
      backend.sockets[0]!.write('3\r\ntwo\r\n');
      await client.until(/two\r\n$/);
      backend.sockets[0]!.write('0\r\n\r\n');
      await client.until(/0\r\n\r\n$/);
      client.close();
    });

    it('streams a request as it comes, and the response at the same time', async () => {
      const { router } = await startNode((server) =>
        server.on('request', (request, response) => request.pipe(response)),
      );
      const client = await RawClient.connect(router.port);
      client.send('POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n');
      await client.until(/3\r\none\r\n$/);
      client.send('3\r\ntwo\r\n0\r\n\r\n');
      await client.until(/3\r\ntwo\r\n0\r\n\r\n$/);
      client.close();
    });

    it('passes 20 MB each way unharmed', async () => {
      const { router } = await startNode((server) =>
        server.on('request', (request, response) => request.pipe(response)),
      );
      const body = Buffer.alloc(20 * 1024 * 1024);
      for (let i = 0; i < body.length; i += 4) body.writeUInt32LE((i * 2654435761) >>> 0, i);
      const back = await post(router.port, body);
      assert.ok(back.equals(body));
    });

    it('holds a fast app back for a slow reader', async () => {
      let sent = 0;
      const { router } = await startNode((server) =>
        server.on('request', (_request, response) => {
          const more = () => {
            while (sent < 200 * 1024 * 1024) {
              sent += 65536;
              if (!response.write(Buffer.alloc(65536))) break;
            }
          };
          response.on('drain', more);
          more();
        }),
      );
      const client = await RawClient.connect(router.port);
      client.send(GET);
      await client.until(/200 OK/);
      client.socket.pause();
      await delay(500);
      assert.ok(sent < 40 * 1024 * 1024, `${sent} bytes sent`);
      client.close();
    });

    it('frames a body that ends with the connection in chunks', async () => {
      const { router } = await start((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nhello'));
      const client = await RawClient.connect(router.port);
      client.send(GET);
      await client.until(/Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$/);
      client.send(GET_CLOSE);
      assert.match(await client.closed(), /0\r\n\r\nHTTP\/1\.1 200 OK.*hello\r\n0\r\n\r\n$/s);
    });

    it('takes chunks apart for HTTP/1.0, and sends it no interim responses', async () => {
      const { router } = await start((socket) =>
        socket.write(
          'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
        ),
      );
      const answer = await sendRaw(
        router.port,
        'GET / HTTP/1.0\r\nHost: app.localhost\r\nConnection: keep-alive\r\n\r\n',
      );
      assert.match(answer, /^HTTP\/1\.1 200 OK\r\nDate: [^\r]+\r\nConnection: close\r\n\r\nhello$/);
    });

    it('keeps the connection of an HTTP/1.0 client that asks for it', async () => {
      const { router } = await start();
      const client = await RawClient.connect(router.port);
      client.send('GET / HTTP/1.0\r\nHost: app.localhost\r\nConnection: keep-alive\r\n\r\n');
      assert.match(await client.until(/ok$/), /Connection: keep-alive\r\n/);
      client.close();
    });

    it('forwards interim responses to HTTP/1.1', async () => {
      const { router } = await start((socket) =>
        socket.write(`HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${OK}`),
      );
      assert.match(
        await sendRaw(router.port, GET_CLOSE),
        /^HTTP\/1\.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP\/1\.1 200 OK/,
      );
    });

    it('passes no more 1xx on than a head may have bytes: nothing slows them down', async () => {
      const { router, backend } = await start((socket) => {
        const hints = 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n'.repeat(1000);
        const more = () => {
          while (socket.writable && socket.write(hints));
        };
        socket.on('drain', more);
        more();
      });
      const answer = await sendRaw(router.port, GET_CLOSE);
      assert.match(answer, /HTTP\/1\.1 502 /);
      assert.ok(answer.length < 100_000, `${answer.length} bytes`);
      await closing(backend.sockets[0]!);
      await router.line(/code=H17/);
    });

    it('passes Expect on and its 100 back, before the body comes', async () => {
      const { router } = await startNode((server) =>
        server.on('request', (request, response) => request.pipe(response)),
      );
      const client = await RawClient.connect(router.port);
      client.send(
        'POST / HTTP/1.1\r\nHost: app.localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n',
      );
      await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
      client.send('hi');
      await client.until(/200 OK.*hi/s);
      client.close();
    });

    it('sends no body after the head of a response to HEAD', async () => {
      const { router } = await start((socket, text) => {
        if (text.startsWith('HEAD')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n');
      });
      const answer = await sendRaw(
        router.port,
        'HEAD / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n',
      );
      assert.match(answer, /Content-Length: 500\r\n.*\r\n\r\n$/s);
    });

    it('shows the client an answer that came before its body was read', async () => {
      let reads = 0; // the body may come in several
      const { router } = await start((socket) => {
        if (reads++ === 0) socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n');
      });
      const head = 'POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 1000000\r\n\r\n';
      const answer = await sendRaw(router.port, [head, 'a'.repeat(100_000), 'a'.repeat(100_000)], {
        pause: 30,
      });
      assert.match(answer, /^HTTP\/1\.1 413 Too Large\r\n[\s\S]*Connection: close\r\n\r\n$/);
    });

    it('refuses a body with malformed chunks, and the app sees it break off', async () => {
      const { router, backend } = await start();
      const client = await RawClient.connect(router.port);
      client.send('POST / HTTP/1.1\r\nHost: app.localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n');
      await eventually(() => backend.all.endsWith('one\r\n') || undefined, 'the first chunk');
      client.send('x\r\n');
      assert.match(await client.closed(), /^HTTP\/1\.1 400 /);
      assert.match(backend.all, /3\r\none\r\n$/);
    });
  });

  describe('connections to dynos', () => {
    it('are used again', async () => {
      const { router, backend } = await start();
      for (let i = 0; i < 5; i++) assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
      assert.equal(backend.received.length, 1);
    });

    it('are closed before the app would', async () => {
      const { router, backend } = await start(undefined, { idleUpstream: 100 });
      await sendRaw(router.port, GET_CLOSE);
      await closing(backend.sockets[0]!);
    });

    it('are kept as long as Keep-Alive says', async () => {
      const { router, backend } = await start(
        (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=2\r\n\r\nok'),
        { idleUpstream: 50 },
      );
      await sendRaw(router.port, GET_CLOSE);
      const since = performance.now();
      await closing(backend.sockets[0]!);
      assert.ok(performance.now() - since > 300);
    });

    it('are not kept after Connection: close', async () => {
      const { router, backend } = await start((socket) =>
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok'),
      );
      await sendRaw(router.port, GET_CLOSE);
      await sendRaw(router.port, GET_CLOSE);
      assert.equal(backend.received.length, 2);
    });

    it('closed by the app just as they are used: the request is sent once more on a fresh one', async () => {
      const { router, backend } = await start((socket, text, connection) => {
        const requests = text.split('\r\n\r\n').length - 1;
        if (connection === 0 && requests > 1) socket.destroy();
        else answerEach(socket, text);
      });
      assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
      assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
      assert.equal(backend.received.length, 2);
    });

    it('closed likewise under what must not be done twice: H13, and it is not sent again', async () => {
      const { router, backend } = await start((socket, text, connection) => {
        if (text.includes('POST')) socket.destroy();
        else answerEach(socket, text);
        assert.ok(connection < 2);
      });
      await sendRaw(router.port, GET_CLOSE);
      assert.match(
        await sendRaw(router.port, POST.replace('Host', 'Connection: close\r\nHost')),
        /^HTTP\/1\.1 503 /,
      );
      assert.equal(backend.all.match(/POST/g)?.length, 1);
      await router.line(/code=H13/);
    });

    it('idle for a second are not used for what must not be done twice', async () => {
      const { router, backend } = await start((socket, text) => {
        if (/\r\n\r\n(hi)?$/.test(text)) socket.write(OK);
      });
      await sendRaw(router.port, GET_CLOSE);
      await delay(1100);
      await sendRaw(router.port, POST.replace('Host', 'Connection: close\r\nHost'));
      assert.equal(backend.received.length, 2);
    });

    it('refused: another dyno is tried', async () => {
      const router = await startRouter();
      const backend = await startBackend();
      router.serve([await closedPort(), await closedPort(), backend.port]);
      for (let i = 0; i < 3; i++) assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
    });

    it('refused: what must not be done twice goes to another dyno too, as nothing was sent', async () => {
      const router = await startRouter();
      const backend = await startBackend((socket, text) => {
        if (text.endsWith('hi')) socket.write(OK);
      });
      router.serve([await closedPort(), backend.port]);
      for (let i = 0; i < 2; i++) {
        assert.match(await sendRaw(router.port, POST.replace('Host', 'Connection: close\r\nHost')), /ok$/);
      }
      assert.equal(backend.all.match(/POST/g)?.length, 2);
    });

    it('are not made to a dyno that broke off five requests in a row, as long as there is another', async () => {
      const router = await startRouter();
      const broken = await startBackend((socket) => socket.destroy());
      const backend = await startBackend();
      router.serve([broken.port, backend.port]);
      // What can be repeated would be answered by the other one.
      const post = GET_CLOSE.replace('GET', 'POST').replace('Host', 'Content-Length: 0\r\nHost');
      const answers: string[] = [];
      for (let i = 0; i < 20; i++) answers.push(await sendRaw(router.port, post));
      assert.equal(answers.filter((answer) => answer.startsWith('HTTP/1.1 503 ')).length, 5);
      assert.equal(broken.received.length, 5);
      router.serve([broken.port]);
      assert.match(await sendRaw(router.port, GET_CLOSE), /^HTTP\/1\.1 503 /);
      assert.equal(broken.received.length, 6);
    });

    it('go to the dyno with the fewest requests', async () => {
      const router = await startRouter();
      const stuck = await startBackend(() => {});
      const backend = await startBackend();
      router.serve([stuck.port, backend.port]);
      const client = await RawClient.connect(router.port);
      client.send(GET);
      for (let i = 0; i < 6; i++) assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
      assert.equal(stuck.received.length, 1);
      client.close();
    });
  });

  describe('route changes', () => {
    it('fail no request under load', async function () {
      this.timeout(20_000);
      const router = await startRouter();
      const old = await nodeApp('old');
      const young = await nodeApp('young');
      router.serve([old.port]);
      const agent = new Agent({ keepAlive: true, maxSockets: 16 });
      let stop = false;
      const counts = { ok: 0, failed: 0, old: 0, young: 0 };
      const clients = Array.from({ length: 16 }, async (_, i) => {
        while (!stop) {
          try {
            const { status, body } = await get(router.port, agent, i % 4 === 0 ? 'POST' : 'GET');
            if (status === 200) counts.ok++;
            else counts.failed++;
            counts[body as 'old' | 'young']++;
          } catch {
            counts.failed++;
          }
        }
      });
      for (let i = 0; i < 40; i++) {
        await delay(25);
        router.serve(i % 2 === 0 ? [young.port] : [old.port]);
      }
      stop = true;
      await Promise.all(clients);
      agent.destroy();
      assert.equal(counts.failed, 0, JSON.stringify(counts));
      assert.ok(counts.old > 50 && counts.young > 50, JSON.stringify(counts));
    });

    it('let a request in progress end on its old dyno, and close idle connections to it', async () => {
      const router = await startRouter();
      const old = await startBackend((socket, text) => {
        if (text.includes('/slow')) setTimeout(() => socket.write(OK.replace('ok', 'OL')), 200);
        else answerEach(socket, text);
      });
      const young = await startBackend();
      router.serve([old.port]);
      const clients = [await RawClient.connect(router.port), await RawClient.connect(router.port)];
      clients[0]!.send(GET.replace('/ ', '/slow '));
      clients[1]!.send(GET);
      await clients[1]!.until(/ok$/);
      router.serve([young.port]);
      await closing(old.sockets[1]!);
      clients[1]!.send(GET);
      await clients[0]!.until(/OL$/);
      await closing(old.sockets[0]!);
      assert.equal(young.received.length, 1);
      for (const client of clients) client.close();
    });

    it('wake requests that wait for the first dyno', async () => {
      const router = await startRouter();
      const backend = await startBackend();
      router.serve([], { state: 'booting' });
      const client = await RawClient.connect(router.port);
      client.send(POST);
      await delay(100);
      assert.equal(client.received, '');
      router.serve([backend.port]);
      await delay(100);
      assert.match(backend.all, /hi$/);
      client.close();
    });

    it('are waited for by a router that has no routes yet', async () => {
      const router = await startRouter();
      const backend = await startBackend();
      const answer = sendRaw(router.port, GET_CLOSE);
      await delay(50);
      router.serve([backend.port]);
      assert.match(await answer, /ok$/);
    });
  });

  describe('WebSockets', () => {
    const UPGRADE =
      'GET /ws HTTP/1.1\r\nHost: app.localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n';
    const SWITCH =
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\n\r\n';

    it('are passed through both ways, and logged when they end', async () => {
      const { router, backend } = await start((socket, text) => {
        if (text.endsWith('\r\n\r\n')) socket.write(`${SWITCH}hello`);
        else socket.write(text.split('\r\n\r\n')[1]!.toUpperCase());
      });
      const client = await RawClient.connect(router.port);
      client.send(UPGRADE);
      await client.until(
        /^HTTP\/1\.1 101 [\s\S]*Sec-WebSocket-Accept: y\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhello$/,
      );
      assert.match(backend.all, /Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n$/);
      client.send('ping');
      await client.until(/helloPING$/);
      backend.sockets[0]!.end();
      await client.closed();
      await router.line(/at=info method=GET path="\/ws" .* status=101 bytes=9 /);
    });

    it('end with their client', async () => {
      const { router, backend } = await start((socket) => socket.write(SWITCH));
      const client = await RawClient.connect(router.port);
      client.send(UPGRADE);
      await client.until(/101/);
      client.close();
      await closing(backend.sockets[0]!);
    });

    it('that are silent too long are closed: H15', async () => {
      const { router } = await start((socket) => socket.write(SWITCH), { silence: 100 });
      const client = await RawClient.connect(router.port);
      client.send(UPGRADE);
      await client.closed();
      await router.line(/at=error code=H15 desc="Idle connection"/);
    });

    it('that the app does not want get its answer', async () => {
      const { router } = await start((socket) =>
        socket.write('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'),
      );
      const client = await RawClient.connect(router.port);
      client.send(UPGRADE);
      await client.until(/^HTTP\/1\.1 403 No\r\n/);
      client.close();
    });

    it('that nobody asked for are a bad answer: 502', async () => {
      const { router } = await start((socket) => socket.write(SWITCH));
      assert.match(await sendRaw(router.port, GET_CLOSE), /^HTTP\/1\.1 502 /);
      const h2c = GET_CLOSE.replace(
        'close',
        'close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x',
      );
      assert.match(await sendRaw(router.port, h2c), /^HTTP\/1\.1 502 /);
    });
  });

  describe('bad responses', () => {
    const bad: [what: string, response: string, status: number][] = [
      ['no HTTP', 'SSH-2.0-OpenSSH\r\n', 503],
      ['lines that end in LF alone', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nok', 503],
      ['two responses', `${OK}${OK}`, 502],
      ['bytes after the end', `${OK}more`, 502],
      ['a body where none may be', 'HTTP/1.1 204 No Content\r\n\r\nbody', 502],
      ['both lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok', 502],
      ['malformed chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\n', 502],
      ['a head without end', `HTTP/1.1 200 OK\r\n${'a: bcdefgh\r\n'.repeat(8000)}`, 502],
    ];
    for (const [what, response, status] of bad) {
      it(`${what}: H17 and ${status}, that connection is closed, the next visitor gets his own answer`, async () => {
        const { router, backend } = await start((socket, text, connection) => {
          if (connection === 0) socket.write(response);
          else answerEach(socket, text);
        });
        const answer = await sendRaw(router.port, GET_CLOSE);
        assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
        await router.line(
          new RegExp(`at=error code=H17 desc="Poorly formed HTTP response" .* status=${status} `),
        );
        assert.match(await sendRaw(router.port, GET_CLOSE), /^HTTP\/1\.1 200 .*ok$/s);
        assert.equal(backend.received.length, 2);
      });
    }

    it('bytes that come after the end, later: the next visitor gets his own answer', async () => {
      const { router, backend } = await start((socket, _text, connection) => {
        socket.write(OK);
        if (connection === 0) setTimeout(() => socket.write(OK.replace('ok', 'NO')), 20);
      });
      assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
      await delay(60);
      assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
      assert.equal(backend.received.length, 2);
    });
  });

  describe('errors', () => {
    const states = [
      ['crashed', 'H10', 'App crashed', 'error'],
      ['stopped', 'H14', 'No web dynos running', 'error'],
      ['no-release', 'H81', 'Blank app', 'info'],
    ] as const;
    for (const [state, code, desc, level] of states) {
      it(`${code}: ${desc}`, async () => {
        const router = await startRouter();
        router.serve([], { state });
        const answer = await sendRaw(router.port, GET_CLOSE);
        assert.match(answer, /^HTTP\/1\.1 503 Service Unavailable\r\n/);
        await router.line(
          new RegExp(
            `^at=${level} code=${code} desc="${desc}" method=GET .* dyno= connect= service= status=503 bytes=0 `,
          ),
        );
      });
    }

    it('H80: maintenance mode, with the page that the app has', async () => {
      const router = await startRouter();
      router.serve([], { state: 'maintenance' });
      assert.match(await sendRaw(router.port, GET_CLOSE), /^HTTP\/1\.1 503 .*Down for maintenance/s);
      await router.line(/^at=info code=H80 desc="Maintenance mode" method=GET .* status=503/);
      router.serve([], { state: 'maintenance', page: '<p>zurück um zwölf' });
      const answer = await sendRaw(router.port, GET_CLOSE);
      const page = Buffer.from('<p>zurück um zwölf');
      assert.ok(answer.includes(`Content-Length: ${page.length}\r\n`));
      assert.ok(answer.endsWith(`\r\n\r\n${page.toString('latin1')}`));
    });

    it('a request to a sleeping app waits, and is told', async () => {
      const { router, backend } = await start();
      const heard = new PassThrough({ encoding: 'utf8' });
      router.serve([], { state: 'asleep' });
      router.routes.wakes.follow(heard);
      const answer = sendRaw(router.port, GET_CLOSE);
      assert.deepEqual(JSON.parse(String((await once(heard, 'data'))[0])), { app: 'app' });
      router.serve([], { state: 'booting' });
      router.serve([backend.port]);
      assert.match(await answer, /^HTTP\/1\.1 200 .*ok$/s);
    });

    it('H12: no first byte in time', async () => {
      const { router } = await start(() => {}, { firstByte: 150 });
      assert.match(await sendRaw(router.port, GET_CLOSE), /^HTTP\/1\.1 503 /);
      await router.line(
        /at=error code=H12 desc="Request timeout" .* dyno=web\.1 connect=\d+ms service=\d+ms status=503 bytes=0/,
      );
    });

    it('H12 is not reckoned from before the end of a long upload', async () => {
      const { router } = await start(
        (socket, text) => {
          if (text.endsWith('end')) socket.write(OK);
        },
        { firstByte: 1000 },
      );
      const head = 'POST / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\nContent-Length: 8\r\n\r\n';
      assert.match(await sendRaw(router.port, [head, '1', '2', '3', '4', '5', 'end'], { pause: 250 }), /ok$/);
    });

    it('H13: closed without a response', async () => {
      const { router } = await start((socket) => socket.destroy());
      assert.match(await sendRaw(router.port, GET_CLOSE), /^HTTP\/1\.1 503 /);
      await router.line(/code=H13 desc="Connection closed without response"/);
    });

    it('H15: silence in the middle', async () => {
      const { router } = await start(
        (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
        { silence: 150 },
      );
      assert.match(await sendRaw(router.port, GET), /half$/);
      await router.line(/code=H15 desc="Idle connection" .* status=503 bytes=4/);
    });

    it('H18: closed in the middle, and so for the client', async () => {
      const { router } = await start((socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
        setTimeout(() => socket.destroy(), 50);
      });
      assert.match(await sendRaw(router.port, GET), /200 OK.*half$/s);
      await router.line(/code=H18 desc="Server Request Interrupted"/);
    });

    it('H18 at once: 502 instead of half a response', async () => {
      const { router } = await start((socket) =>
        socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf'),
      );
      assert.match(await sendRaw(router.port, GET_CLOSE), /^HTTP\/1\.1 502 /);
      await router.line(/code=H18 .* status=502/);
    });

    it('H18 in chunks: the client does not take it for the end', async () => {
      const { router } = await start((socket) => {
        socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n');
        setTimeout(() => socket.end(), 50);
      });
      assert.match(await sendRaw(router.port, GET), /4\r\nhalf\r\n$/);
      await router.line(/code=H18/);
    });

    it('H20: no dyno within the time for booting', async () => {
      const router = await startRouter({ booting: 100 });
      router.serve([], { state: 'booting' });
      assert.match(await sendRaw(router.port, GET_CLOSE), /^HTTP\/1\.1 503 /);
      await router.line(/code=H20 desc="App boot timeout"/);
    });

    it('H21: every dyno refused', async () => {
      const router = await startRouter();
      router.serve([await closedPort(), await closedPort()]);
      assert.match(await sendRaw(router.port, GET_CLOSE), /^HTTP\/1\.1 503 /);
      await router.line(/code=H21 desc="Backend connection refused"/);
    });

    it('H27: the client went away, and the app is told', async () => {
      const { router, backend } = await start(() => {}, { halfClosed: 50 });
      const client = await RawClient.connect(router.port);
      client.send(GET);
      await delay(50);
      client.close();
      await router.line(/code=H27 desc="Client Request Interrupted" .* status=499/);
      await closing(backend.sockets[0]!);
    });

    it('H27: the client went away in the middle of its request', async () => {
      const { router } = await start(() => {});
      await sendRaw(router.port, 'POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 9\r\n\r\nhalf', {
        end: true,
      });
      await router.line(/code=H27/);
    });

    it('H28: the body does not come, or too slowly', async () => {
      // What still comes is read until the client is done: it would else be reset, and lose the answer.
      const { router } = await start(() => {}, { silence: 200, linger: 10_000 });
      const head = 'POST / HTTP/1.1\r\nHost: app.localhost\r\nContent-Length: 9000\r\n\r\n';
      assert.match(await sendRaw(router.port, head), /^HTTP\/1\.1 408 /);
      await router.line(/code=H28 desc="Client Connection Idle" .* status=499/);
      const drops = Array.from({ length: 12 }, () => 'a');
      assert.match(await sendRaw(router.port, [head, ...drops], { pause: 50 }), /^HTTP\/1\.1 408 /);
    });

    it('H28: the client does not read', async () => {
      const { router } = await startNode(
        (server) => server.on('request', (_request, response) => response.end(Buffer.alloc(50_000_000))),
        { silence: 300 },
      );
      const client = await RawClient.connect(router.port);
      client.socket.once('data', () => client.socket.pause());
      client.send(GET);
      await router.line(/code=H28 .* status=499/);
      client.close();
    });

    it('keep the connection for the next request', async () => {
      const router = await startRouter();
      router.serve([], { state: 'stopped' });
      assert.equal((await sendRaw(router.port, GET + GET_CLOSE)).match(/ 503 /g)?.length, 2);
    });
  });

  describe('the dashboard', () => {
    const DASHBOARD = GET_CLOSE.replace('app.', 'paas.');

    async function dashboard(path: string): Promise<Server> {
      const server = createServer((_request, response) => response.end('dashboard')).listen(path);
      await once(server, 'listening');
      cleanups.push(() => {
        server.closeAllConnections();
        server.close();
      });
      return server;
    }

    function newSocketPath(): string {
      const folder = mkdtempSync(join(tmpdir(), 'router-'));
      cleanups.push(() => rmSync(folder, { recursive: true }));
      return join(folder, 'd.sock');
    }

    it('is reached through its socket', async () => {
      const path = newSocketPath();
      const router = await startRouter();
      router.serve([], { dashboard: path });
      await dashboard(path);
      assert.match(await sendRaw(router.port, DASHBOARD), /^HTTP\/1\.1 200 OK.*dashboard$/s);
    });

    it('is waited for while it restarts', async () => {
      const path = newSocketPath();
      const router = await startRouter();
      router.serve([], { dashboard: path });
      const answer = sendRaw(router.port, DASHBOARD);
      await delay(150);
      await dashboard(path);
      assert.match(await answer, /dashboard$/);
    });

    it('that stays away is a plain 503', async () => {
      const router = await startRouter({ dashboard: 100 });
      router.serve([], { dashboard: '/nowhere/d.sock' });
      assert.match(await sendRaw(router.port, DASHBOARD), /^HTTP\/1\.1 503 .*not there at the moment/s);
    });
  });

  async function nodeApp(name: string): Promise<{ port: number }> {
    const server = createServer(async (request, response) => {
      for await (const _ of request);
      await delay(Math.random() * 10);
      response.end(name);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    cleanups.push(() => {
      server.closeAllConnections();
      server.close();
    });
    return { port: (server.address() as AddressInfo).port };
  }
});

function get(port: number, agent: Agent, method: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      { port, host: '127.0.0.1', agent, method, headers: { host: 'app.localhost' } },
      (response) => {
        read(response).then((body) => resolve({ status: response.statusCode!, body: String(body) }), reject);
      },
    );
    call.on('error', reject);
    call.end(method === 'POST' ? 'body' : undefined);
  });
}

function post(port: number, body: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'app.localhost', 'content-length': body.length };
    const call = request({ port, host: '127.0.0.1', method: 'POST', headers, agent: false }, (response) => {
      read(response).then(resolve, reject);
    });
    call.on('error', reject);
    call.end(body);
  });
}

async function read(response: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
