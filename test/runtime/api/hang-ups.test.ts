import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, renameSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, it } from 'mocha';
import type { Exchange } from '../../../runtime/api/exchange.ts';
import { Router } from '../../../runtime/api/router.ts';
import { createApiServer } from '../../../runtime/api/server.ts';
import { runtimePaths } from '../../../runtime/settings.ts';
import { BASE, createEngineFixture, type EngineFixture } from '../engine-fixture.ts';
import { ProcessKernel } from '../process-kernel.ts';

const UPGRADE = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';

describe('connections that end early', () => {
  let fixture: EngineFixture;
  let docker: Docker;
  let kernel: ProcessKernel;

  beforeEach(async () => {
    kernel = new ProcessKernel();
    fixture = await createEngineFixture(kernel);
    docker = fixture.docker;
  });

  afterEach(async () => {
    for (const { Id } of await docker.listContainers({ all: true })) {
      await docker.getContainer(Id).remove({ force: true });
    }
    await fixture.remove();
  });

  function send(path: string, { headers = '', body = '' }): Socket {
    const socket = connect(runtimePaths(fixture.settings).dockerSocket);
    const length = `Content-Length: ${body.length}\r\n`;
    socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}${length}\r\n${body}`);
    return socket;
  }

  async function start(script: string): Promise<Docker.Container> {
    const container = await docker.createContainer({ Image: BASE, Cmd: ['/bin/sh', '-c', script] });
    await container.start();
    return container;
  }

  const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  async function until(condition: () => Promise<boolean>, what: string): Promise<void> {
    for (let tries = 0; !(await condition()); tries++) {
      assert.ok(tries < 300, `waited for ${what}`);
      await sleep(20);
    }
  }

  for (const headers of ['', UPGRADE]) {
    const kind = headers === '' ? '' : ', upgraded';

    it(`an exec goes on to its end whose client hung up before it ran${kind}`, async () => {
      const container = await start('sleep 99');
      const exec = await container.exec({
        Cmd: ['/bin/sh', '-c', 'head -c 3000000 /dev/zero; exit 3'],
        AttachStdout: true,
      });
      const run = kernel.exec;
      const gone = Promise.withResolvers<void>();
      kernel.exec = async (...args) => {
        await gone.promise;
        return run.apply(kernel, args);
      };
      const socket = send(`/exec/${exec.id}/start`, { headers, body: '{"Detach":false}' });
      await sleep(100);
      socket.destroy();
      await sleep(50);
      gone.resolve();
      await until(async () => (await exec.inspect()).ExitCode === 3, 'its end');
    });

    it(`nothing is kept for a client that hung up while it was told the log${kind}`, async () => {
      const flood = 'head -c 3000000 /dev/zero | tr "\\0" a | fold -w 99';
      const container = await start(`${flood}; echo done; sleep 1; ${flood}; echo again; sleep 99`);
      const said = async (word: string) =>
        (await container.logs({ stdout: true, stderr: true, tail: 1 })).toString().includes(word);
      await until(() => said('done'), 'its log');
      const query = 'logs=1&stream=1&stdout=1&stderr=1';
      const socket = send(`/containers/${container.id}/attach?${query}`, { headers });
      socket.pause();
      await sleep(100);
      socket.destroy();
      await until(() => said('again'), 'more of it');
      assert.ok(openFiles(container.id) <= 1);
    });

    it(`says that the log cannot be read, and hangs up${kind}`, async () => {
      const container = await start('echo hello; sleep 99');
      await until(async () => (await container.logs({ stdout: true })).length > 0, 'its log');
      const log = join(runtimePaths(fixture.settings).containers, container.id, 'log');
      renameSync(log, `${log}.away`);
      mkdirSync(log);
      const query = 'logs=1&stream=1&stdout=1&stderr=1';
      const socket = send(`/containers/${container.id}/attach?${query}`, { headers });
      if (headers === '') setTimeout(() => socket.end(), 500);
      assert.match(await text(socket), /The log cannot be read/);
    });
  }

  it('a failure after the head of the answer ends the connection', async () => {
    const fail = (_: unknown) => {
      throw new Error('planted');
    };
    const router = new Router([
      { method: 'POST', pattern: '/hijacked', handler: (exchange: Exchange) => fail(exchange.hijack('a/b')) },
      { method: 'POST', pattern: '/streamed', handler: (exchange: Exchange) => fail(exchange.stream('a/b')) },
    ]);
    const folder = mkdtempSync(join(tmpdir(), 'paas-api-'));
    const server = createApiServer(router, 'root');
    try {
      await new Promise<void>((resolve) => server.listen(join(folder, 'sock'), resolve));
      for (const [path, headers] of [
        ['/hijacked', UPGRADE],
        ['/streamed', ''],
      ]) {
        const socket = connect(join(folder, 'sock'));
        socket.write(`POST ${path} HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: 0\r\n\r\n`);
        assert.match(await text(socket), /^HTTP\/1.1 (101|200)/);
      }
    } finally {
      server.close();
      rmSync(folder, { recursive: true });
    }
  });
});

/** How often this process has a file of that name open. */
function openFiles(name: string): number {
  const files = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return basename(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return '';
    }
  });
  return files.filter((file) => file === name).length;
}
