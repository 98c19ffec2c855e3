import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { BoundSocket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { routerPaths } from '../../server/config.ts';
import { Service } from '../../server/host/service.ts';
import { RouterGroup } from '../../server/router-group.ts';
import { delay, eventually, RawBackend, sendRaw, tableOf } from './router/router-fixture.ts';

const ROUTER = join(import.meta.dirname, '../../server/router.ts');
const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n';
const HELD = 'GET /held HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n';

describe('RouterGroup', function () {
  this.timeout(60_000);
  const run = mkdtempSync(join(tmpdir(), 'routers-'));
  const socket = new BoundSocket({ host: '127.0.0.1', port: 0 });
  const { port } = socket.address() as { port: number };
  const paths = [1, 2].map((router) => routerPaths({ run }, router).socket);
  const group = new RouterGroup(paths);
  const pids: number[] = [];
  const services = [1, 2].map(
    (router) =>
      new Service({
        name: `router ${router}`,
        command: () => ({
          argv: ['sh', '-c', 'echo "pid $$"; exec "$0" "$1"', process.execPath, ROUTER],
          env: {
            ...{ PAAS_DATA: run, PAAS_RUN: run, PAAS_HTTP: `127.0.0.1:${port}`, PAAS_HTTPS: 'off' },
            ...{ PAAS_HTTP_FD: '3', PAAS_ROUTER: String(router) },
          },
        }),
        passes: () => [socket.fd()],
        log: (line) => {
          const pid = /^pid (\d+)$/.exec(line)?.[1];
          if (pid) pids[router] = Number(pid);
        },
      }),
  );
  let held: (() => void)[] = [];
  let backend: RawBackend;

  before(async () => {
    backend = await RawBackend.start((connection, text) => {
      const answer = () => connection.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
      if (text.slice(text.lastIndexOf('GET ')).startsWith('GET /held')) held.push(answer);
      else answer();
    });
    await Promise.all(services.map((service) => service.start()));
    await group.setRoutes(tableOf([backend.port]));
  });
  after(async () => {
    await Promise.all(services.map((service) => service.stop()));
    socket.close();
    await backend.stop();
    rmSync(run, { recursive: true });
  });

  /** Requests that a dyno holds back, so many that each router has some: whichever is awake takes a connection. */
  async function holdSome(countEach: () => Promise<number[]>): Promise<Promise<string>[]> {
    held = [];
    const answers: Promise<string>[] = [];
    for (let each = [0]; !each.every((count) => count > 0); each = await countEach()) {
      assert.ok(answers.length < 1000, `all went to one router: ${each}`);
      answers.push(...Array.from({ length: 40 }, () => sendRaw(port, HELD)));
      await eventually(() => held.length === answers.length || undefined, 'requests at the dyno');
    }
    return answers;
  }

  it('adds up what the routers are busy with, and drains them all', async () => {
    const dynos = [{ address: '127.0.0.1', port: backend.port }];
    const answers = await holdSome(() =>
      Promise.all(paths.map((path) => new RouterGroup([path]).inFlight(dynos))),
    );
    assert.equal(await group.inFlight(dynos), answers.length);
    assert.deepEqual(await group.drain(dynos, 50), { inFlight: answers.length });
    const drained = group.drain(dynos, 20_000);
    for (const answer of held) answer();
    assert.deepEqual(await drained, { inFlight: 0 });
    for (const answer of answers) assert.match(await answer, /^HTTP\/1\.1 200 /);
  });

  it('has a table in effect in every router when setRoutes() resolves', async () => {
    for (let turn = 0; turn < 20; turn++) {
      const host = `turn-${turn}.localhost`;
      await group.setRoutes(tableOf([backend.port], { hosts: [host] }));
      const request = GET.replace('app.localhost', host);
      const answers = await Promise.all(Array.from({ length: 8 }, () => sendRaw(port, request)));
      for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 200 /);
    }
    await group.setRoutes(tableOf([backend.port]));
  });

  it('tells the log lines of all', async () => {
    const following = new AbortController();
    let lines = 0;
    const ended = group.followLogs((line) => {
      if (line.text.includes('path="/held"')) lines += 1;
    }, following.signal);
    await eventually(() => lines >= held.length || undefined, 'the lines of the first test');
    following.abort();
    await ended;
    assert.equal(lines, held.length);
  });

  it('goes on without a refused connection while one router after the other is replaced', async () => {
    let failed = 0;
    let answered = 0;
    let over = false;
    const load = async () => {
      while (!over) {
        const answer = await sendRaw(port, GET).catch((error) => String(error));
        if (answer.startsWith('HTTP/1.1 200 ')) answered += 1;
        else failed += 1;
      }
    };
    const clients = Array.from({ length: 8 }, load);
    for (const router of [1, 2]) {
      const before = pids[router]!;
      process.kill(before, 'SIGTERM');
      await eventually(() => pids[router] !== before || undefined, 'the next router');
      await delay(300);
    }
    over = true;
    await Promise.all(clients);
    assert.equal(failed, 0);
    assert.ok(answered > 20, `only ${answered} requests`);
  });
});
