import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { BoundSocket, connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, describe, it } from 'mocha';
import { KeptPorts } from '../../../server/host/kept-ports.ts';
import { Service } from '../../../server/host/service.ts';
import { RouterClient } from '../../../server/router-client.ts';
import { answerEach, delay, RawBackend, RawClient, sendRaw, tableOf } from './router-fixture.ts';
import { TestAuthority } from './tls-fixture.ts';

const ROUTER = join(import.meta.dirname, '../../../server/router.ts');
const GET = 'GET / HTTP/1.1\r\nHost: app.localhost\r\n\r\n';
const GET_CLOSE = 'GET / HTTP/1.1\r\nHost: app.localhost\r\nConnection: close\r\n\r\n';
/** More than the queue that a server gets by itself, 511. */
const RUSH = 600;

describe('a router that is replaced', function () {
  this.timeout(120_000);
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  /** A router, supervised as main does it. Not `shared`: it listens by itself. */
  async function start(options: { shared: boolean; authority?: TestAuthority }) {
    const { authority } = options;
    const run = mkdtempSync(join(tmpdir(), 'router-'));
    const socket = new BoundSocket({ host: '127.0.0.1', port: 0 });
    const secure = new BoundSocket({ host: '127.0.0.1', port: 0 });
    const { port } = socket.address() as { port: number };
    const { port: tlsPort } = secure.address() as { port: number };
    if (!options.shared) socket.close();
    const pids: number[] = [];
    const ports = new KeptPorts();
    const first = options.shared ? 5 : 3;
    const env = { PAAS_DATA: run, PAAS_RUN: run, PAAS_HTTP: `127.0.0.1:${port}`, PAAS_HTTPS: 'off' };
    const service = new Service({
      name: 'router',
      // Its process id comes with what it says.
      command: () => ({
        argv: ['sh', '-c', 'echo "pid $$"; exec "$0" "$1"', process.execPath, ROUTER],
        env: {
          ...env,
          PAAS_PORT_FDS: ports.inOrder(first),
          ...(options.shared && { PAAS_HTTPS: '127.0.0.1:0', PAAS_HTTP_FD: '3', PAAS_HTTPS_FD: '4' }),
        },
      }),
      passes: () => [...(options.shared ? [socket.fd(), secure.fd()] : []), ...ports.descriptors],
      onMessage: (message, handle) => ports.note(message, handle),
      log: (line) => {
        const pid = /^pid (\d+)$/.exec(line)?.[1];
        if (pid) pids.push(Number(pid));
      },
      onReady: () => {
        ready += 1;
      },
    });
    let ready = 0;
    cleanups.push(async () => {
      await service.stop();
      ports.close();
      if (options.shared) socket.close();
      secure.close();
      rmSync(run, { recursive: true });
    });
    await service.start();
    const backend = await RawBackend.start((connection, text) =>
      setTimeout(() => answerEach(connection, text), 5),
    );
    cleanups.push(() => backend.stop());
    const certificates = authority ? [{ hosts: ['app.localhost'], ...authority.issue('app.localhost') }] : [];
    const client = new RouterClient({ socketPath: join(run, 'control', 'router.sock') });
    const route = (own: number[]) => {
      const dynos = [{ name: 'web.1', address: '127.0.0.1', port: backend.port }];
      const atPorts = own.map((port) => ({ port, state: 'up' as const, dynos }));
      return client.setRoutes({ ...tableOf([backend.port], { ports: atPorts }), certificates });
    };
    await route([]);
    const replace = async (signal: NodeJS.Signals = 'SIGTERM') => {
      const before = ready;
      process.kill(pids.at(-1)!, signal);
      for (let waited = 0; ready === before && waited < 1000; waited++) await delay(20);
      assert.ok(ready > before, 'no next router');
    };
    return { port, tlsPort, run, ports, route, replace, pid: pids.at(-1)! };
  }

  it('refuses and resets no connection, be it new or kept', async () => {
    const { port, replace } = await start({ shared: true });
    const load = new Load(port);
    for (let i = 0; i < 4; i++) {
      await replace();
      await delay(300);
    }
    const { failed, done } = await load.stop();
    assert.deepEqual(failed, []);
    assert.ok(done > 100, `${done} requests`);
  });

  it('has a rush of clients wait until it comes to them', async () => {
    const { port, pid } = await start({ shared: true });
    // Its queue is the kernel's; who found it full would be asked to come again, a second later at the soonest.
    process.kill(pid, 'SIGSTOP');
    const sockets = Array.from({ length: RUSH }, () => connectPlain({ port, host: '127.0.0.1' }));
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
    });
    try {
      await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    } finally {
      process.kill(pid, 'SIGCONT');
    }
  });

  it('leaves its certificates and TLS sessions to the next one, in files that are nobody else’s', async () => {
    const authority = new TestAuthority();
    cleanups.push(() => authority.remove());
    const { tlsPort, run, replace } = await start({ shared: true, authority });
    const ask = async (session?: Buffer) => {
      const options = {
        port: tlsPort,
        host: '127.0.0.1',
        servername: 'app.localhost',
        ca: authority.certificate,
      };
      const socket = connect({ ...options, ...(session && { session }) });
      let ticket: Buffer | undefined;
      socket.on('session', (session) => {
        ticket = session;
      });
      socket.write(GET_CLOSE);
      assert.match(String(await once(socket, 'data')), /^HTTP\/1\.1 200/);
      const resumed = socket.isSessionReused();
      socket.destroy();
      return { ticket, resumed };
    };
    const { ticket } = await ask();
    await replace();
    assert.equal((await ask(ticket)).resumed, true);
    for (const file of ['routes.json', 'ticket-keys.json']) {
      assert.equal(statSync(join(run, 'control', file)).mode & 0o777, 0o600, file);
    }
  });

  it('leaves the sockets of apps’ own ports to the next one, also when it is killed', async () => {
    const { ports, route, replace } = await start({ shared: true });
    const port = freePort();
    await route([port]);
    while (ports.descriptors.length === 0) await delay(10);
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      const replaced = replace(signal);
      const asked = Array.from({ length: 10 }, () => sendRaw(port, GET_CLOSE));
      for (const answer of await Promise.all(asked)) assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*ok$/);
      await replaced;
    }
    await route([]);
    while (ports.descriptors.length > 0) await delay(10);
    await assert.rejects(sendRaw(port, GET_CLOSE), /ECONNREFUSED/);
  });

  it('would refuse some if the socket were its own', async () => {
    const { port, replace } = await start({ shared: false });
    const load = new Load(port);
    await replace();
    const { failed } = await load.stop();
    assert.ok(failed.length > 0);
  });
});

function freePort(): number {
  const socket = new BoundSocket({ host: '127.0.0.1', port: 0 });
  const { port } = socket.address() as { port: number };
  socket.close();
  return port;
}

/** Clients that come and go, and clients that stay. */
class Load {
  readonly #port: number;
  readonly #clients: Promise<void>[];
  readonly #failed: string[] = [];
  #done = 0;
  #stopping = false;

  constructor(port: number) {
    this.#port = port;
    this.#clients = Array.from({ length: 8 }, (_, i) => (i % 2 === 0 ? this.#comeAndGo() : this.#stay()));
  }

  async stop(): Promise<{ failed: string[]; done: number }> {
    this.#stopping = true;
    await Promise.all(this.#clients);
    return { failed: this.#failed, done: this.#done };
  }

  async #comeAndGo(): Promise<void> {
    while (!this.#stopping) {
      this.#note(await sendRaw(this.#port, GET_CLOSE).catch((error: Error) => error.message));
      await delay(2);
    }
  }

  /** Opens another connection only when the answer says that this one ends. */
  async #stay(): Promise<void> {
    while (!this.#stopping) {
      const client = await RawClient.connect(this.#port).catch((error: Error) => error);
      if (client instanceof Error) {
        this.#failed.push(client.message);
        await delay(10);
        continue;
      }
      while (!this.#stopping && !client.received.includes('Connection: close')) {
        client.received = '';
        client.send(GET);
        while (!client.received.endsWith('ok') && !client.socket.closed) await delay(2);
        this.#note(client.received);
        if (client.socket.closed) break;
      }
      client.close();
    }
  }

  #note(answer: string): void {
    this.#done += 1;
    if (!/^HTTP\/1\.1 200 [\s\S]*ok$/.test(answer)) this.#failed.push(answer || 'no answer');
  }
}
