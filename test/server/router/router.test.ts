import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, it } from 'mocha';
import { RouteFile } from '../../../server/router/route-file.ts';
import type { RouterLogLine, RouteTable } from '../../../server/router/route-table.ts';
import { RouterClient, RouterRefusal } from '../../../server/router-client.ts';
import { delay, eventually, RawBackend, RawClient, sendRaw, tableOf } from './router-fixture.ts';

const ROUTER = join(import.meta.dirname, '../../../server/router.ts');
const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n';
const GET_CLOSE = 'GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n';

/** A router in a process and folder of its own. */
class RouterProcess {
  readonly run = mkdtempSync(join(tmpdir(), 'router-'));
  readonly client = new RouterClient({ socketPath: join(this.run, 'control', 'router.sock') });
  child: ChildProcess | undefined;
  port = 0;

  async start(): Promise<void> {
    const env = {
      PAAS_DATA: this.run,
      PAAS_RUN: this.run,
      PAAS_HTTP: `127.0.0.1:${this.port}`,
      PAAS_HTTPS: 'off',
    };
    this.child = spawn(process.execPath, [ROUTER], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    const [text] = await once(this.child.stdout!, 'data');
    const match = /^ready (\{.*\})\n$/.exec(String(text));
    assert.ok(match, String(text));
    this.port = Number((JSON.parse(match[1]!) as { http: string }).http.split(':')[1]);
  }

  async kill(signal: NodeJS.Signals): Promise<number | null> {
    this.child!.kill(signal);
    const [code] = await once(this.child!, 'exit');
    return code;
  }

  async stop(): Promise<void> {
    if (this.child && this.child.exitCode === null && this.child.signalCode === null)
      await this.kill('SIGKILL');
    rmSync(this.run, { recursive: true });
  }
}

describe('router', () => {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0)) await cleanup();
  });

  async function start(): Promise<RouterProcess> {
    const router = new RouterProcess();
    cleanups.push(() => router.stop());
    await router.start();
    return router;
  }

  /** What a router that starts now would begin with. */
  function kept(path: string): RouteTable {
    const { revision: _, ...table } = new RouteFile(path).load()!;
    return table;
  }

  async function startBackend(...args: Parameters<typeof RawBackend.start>): Promise<RawBackend> {
    const backend = await RawBackend.start(...args);
    cleanups.push(() => backend.stop());
    return backend;
  }

  it('serves by the last routes after kill -9, within a second, without control', async () => {
    const router = await start();
    const backend = await startBackend();
    await router.client.setRoutes(tableOf([backend.port]));
    await router.kill('SIGKILL');
    await router.start();
    const took = cpuTime(router.child!.pid!);
    assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
    // Reckoned in CPU time, as the machine may be busy with other things, or slow: a second is what it is where Node starts in 100 ms.
    const most = Math.max(1000, 10 * bareStart());
    assert.ok(took < most, `${took} ms, at most ${most}`);
  });

  it('waits for new routes if those on disk are damaged', async () => {
    const router = await start();
    const backend = await startBackend();
    await router.client.setRoutes(tableOf([backend.port]));
    await router.kill('SIGKILL');
    writeFileSync(join(router.run, 'control', 'routes.json'), '{"apps":');
    await router.start();
    await router.client.setRoutes(tableOf([backend.port]));
    assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
  });

  it('SIGTERM: accepts no more, lets a request in progress end, exits with 0', async () => {
    const router = await start();
    const backend = await startBackend(() => {});
    await router.client.setRoutes(tableOf([backend.port]));
    const [busy, idle] = [await RawClient.connect(router.port), await RawClient.connect(router.port)];
    busy.send(GET);
    await eventually(() => backend.sockets[0], 'the request');
    const exit = router.kill('SIGTERM');
    await idle.closed();
    await assert.rejects(RawClient.connect(router.port));
    backend.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate');
    assert.match(await busy.closed(), /Connection: close\r\n\r\nlate$/);
    assert.equal(await exit, 0);
  });

  it('says what is wrong with its settings, and exits with 1', async () => {
    const child = spawn(process.execPath, [ROUTER], {
      env: { PAAS_HTTP: 'nonsense' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let text = '';
    child.stderr.on('data', (piece) => {
      text += piece;
    });
    const [code] = await once(child, 'close');
    assert.equal(code, 1);
    assert.match(text, /^router: PAAS_HTTP must be ADDRESS:PORT/);
  });

  describe('RouterClient.setRoutes()', () => {
    it('resolves when the routes are in effect, and they are on disk', async () => {
      const router = await start();
      const backend = await startBackend();
      const table = tableOf([backend.port]);
      await router.client.setRoutes(table);
      assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
      const path = join(router.run, 'control', 'routes.json');
      assert.deepEqual(kept(path), table);
      assert.equal(existsSync(`${path}.new`), false);
    });

    it('waits for a router that is not there yet', async () => {
      const router = new RouterProcess();
      cleanups.push(() => router.stop());
      const set = router.client.setRoutes(tableOf([1]));
      await delay(100);
      await router.start();
      await set;
    });

    it('ends with the last of many tables, also of those set at once', async () => {
      const router = await start();
      const path = join(router.run, 'control', 'routes.json');
      await Promise.all(Array.from({ length: 30 }, (_, i) => router.client.setRoutes(tableOf([1000 + i]))));
      assert.deepEqual(kept(path), tableOf([1029]));
    });

    it('sends what is new alone, also to a router that was killed, and all to one that has lost it', async () => {
      const router = await start();
      const [one, two] = [await startBackend(), await startBackend()];
      const path = join(router.run, 'control', 'routes.json');
      await router.client.setRoutes(tableOf([one.port]));
      await router.client.setRoutes(tableOf([two.port]));
      assert.deepEqual(JSON.parse(readFileSync(path, 'utf8')).apps, tableOf([one.port]).apps);
      assert.deepEqual(kept(path), tableOf([two.port]));
      await router.kill('SIGKILL');
      await router.start();
      assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
      assert.equal(two.received.length, 1);
      await router.client.setRoutes(tableOf([one.port]));
      assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
      assert.equal(one.received.length, 1);
      await router.kill('SIGKILL');
      for (const file of [path, `${path}.changes`]) rmSync(file, { force: true });
      await router.start();
      await router.client.setRoutes(tableOf([two.port]));
      assert.match(await sendRaw(router.port, GET_CLOSE), /ok$/);
      assert.equal(two.received.length, 2);
    });

    it('rejects a table that the router refuses, and takes the next', async () => {
      const router = await start();
      await assert.rejects(
        router.client.setRoutes(tableOf([1], { hosts: ['A B'] })),
        (error) => error instanceof RouterRefusal && /hosts\[0\]/.test(error.message),
      );
      await router.client.setRoutes(tableOf([1]));
    });

    it('is refused to others: the socket is for its owner alone', async () => {
      const router = await start();
      assert.equal(statSync(join(router.run, 'control', 'router.sock')).mode & 0o777, 0o600);
    });
  });

  describe('RouterClient.drain()', () => {
    it('waits until no request is in flight, to removed dynos too', async () => {
      const router = await start();
      const backend = await startBackend(() => {});
      const dyno = { address: '127.0.0.1', port: backend.port };
      await router.client.setRoutes(tableOf([backend.port]));
      const client = await RawClient.connect(router.port);
      client.send(GET);
      await eventually(() => backend.sockets[0], 'the request');
      await router.client.setRoutes(tableOf([]));
      assert.deepEqual(await router.client.drain([dyno], 100), { inFlight: 1 });
      assert.equal((await router.client.inFlight()).total, 1);
      const drained = router.client.drain([dyno], 5000);
      await delay(50);
      backend.sockets[0]!.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      assert.deepEqual(await drained, { inFlight: 0 });
      client.close();
    });

    it('answers at once for dynos without requests, and those unknown', async () => {
      const router = await start();
      assert.deepEqual(await router.client.drain([{ address: '10.0.0.1', port: 1 }], 60_000), {
        inFlight: 0,
      });
      assert.deepEqual(await router.client.drain([], 60_000), { inFlight: 0 });
    });

    it('resolves when the router is away for all of the time', async () => {
      const client = new RouterClient({ socketPath: '/nowhere/router.sock' });
      assert.deepEqual(await client.drain([{ address: '10.0.0.1', port: 1 }], 100), { inFlight: 0 });
    });
  });

  describe('RouterClient.followLogs()', () => {
    it('gets lines from before it came, and goes on after the router restarted', async () => {
      const router = await start();
      await router.client.setRoutes(tableOf([], { state: 'stopped' }));
      await sendRaw(router.port, GET_CLOSE);
      const lines: RouterLogLine[] = [];
      const stop = new AbortController();
      const followed = router.client.followLogs((line) => lines.push(line), stop.signal);
      await eventually(() => lines[0], 'the first line');
      await router.kill('SIGKILL');
      await router.start();
      await sendRaw(router.port, GET_CLOSE);
      await eventually(() => lines[1], 'the second line');
      stop.abort();
      await followed;
      assert.equal(lines[1]!.app, 'app');
      assert.ok(Math.abs(lines[1]!.at - Date.now()) < 5000);
      assert.match(lines[1]!.text, /^at=error code=H14 /);
    });
  });

  describe('ControlApi', () => {
    const refused: [what: string, method: string, path: string, body: string, status: number][] = [
      ['no JSON', 'PUT', '/routes', '{', 400],
      ['no table', 'PUT', '/routes', '[]', 400],
      ['a drain without dynos', 'POST', '/drain', '{"timeout":1}', 400],
      ['a drain without time', 'POST', '/drain', '{"dynos":[]}', 400],
      ['a drain of a name', 'POST', '/drain', '{"dynos":[{"address":"a","port":1}],"timeout":1}', 400],
      ['another path', 'GET', '/', '', 404],
    ];
    it('refuses what it does not understand', async () => {
      const router = await start();
      for (const [what, method, path, body, status] of refused) {
        const answer = await ask(router, { method, path, body });
        assert.equal(answer.status, status, what);
        assert.equal(typeof JSON.parse(answer.text).error, 'string');
      }
    });
  });
});

/** Milliseconds, user and system, at 100 ticks a second (proc_pid_stat(5)). */
/** Milliseconds of processor time that Node needs to start and do nothing. */
function bareStart(): number {
  const say = 'const { user, system } = process.cpuUsage(); console.log((user + system) / 1000)';
  return Number(execFileSync(process.execPath, ['-e', say], { encoding: 'utf8' }));
}

function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function ask(
  router: RouterProcess,
  { method, path, body }: { method: string; path: string; body: string },
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const socketPath = join(router.run, 'control', 'router.sock');
    const call = request({ socketPath, method, path, agent: false }, async (response) => {
      let text = '';
      for await (const piece of response) text += piece;
      resolve({ status: response.statusCode!, text });
    });
    call.on('error', reject);
    call.end(body);
  });
}
