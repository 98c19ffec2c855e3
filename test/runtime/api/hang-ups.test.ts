import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { after, afterEach, beforeEach, describe, it } from 'mocha';
import { type Handler, Router } from '../../../runtime/api/router.ts';
import { type ApiServer, createApiServer } from '../../../runtime/api/server.ts';
import { runtimePaths } from '../../../runtime/settings.ts';
import { openFiles } from '../../fixtures/open-files.ts';
import { until } from '../../fixtures/until.ts';
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
    await fixture.removeContainers();
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
      await until(async () => (await exec.inspect()).ExitCode === 3);
    });

    it(`nothing is kept for a client that hung up while it was told the log${kind}`, async () => {
      const flood = 'head -c 3000000 /dev/zero | tr "\\0" a | fold -w 99';
      const goOn = join(fixture.settings.run, 'go-on');
      const wait = `until [ -e ${goOn} ]; do sleep 0.05; done`;
      const container = await start(`${flood}; echo done; ${wait}; ${flood}; echo again; sleep 99`);
      const said = async (word: string) =>
        (await container.logs({ stdout: true, stderr: true, tail: 1 })).toString().includes(word);
      await until(() => said('done'));
      const query = 'logs=1&stream=1&stdout=1&stderr=1';
      const socket = send(`/containers/${container.id}/attach?${query}`, { headers });
      socket.pause();
      await sleep(100);
      socket.destroy();
      writeFileSync(goOn, '');
      await until(() => said('again'));
      assert.ok(timesOpen(container.id) <= 1);
    });

    it(`says that the log cannot be read, and hangs up${kind}`, async () => {
      const container = await start('echo hello; sleep 99');
      await until(async () => (await container.logs({ stdout: true })).length > 0);
      const log = join(runtimePaths(fixture.settings).containers, container.id, 'log');
      renameSync(log, `${log}.away`);
      mkdirSync(log);
      const query = 'logs=1&stream=1&stdout=1&stderr=1';
      const socket = send(`/containers/${container.id}/attach?${query}`, { headers });
      if (headers === '') setTimeout(() => socket.end(), 500);
      assert.match(await text(socket), /The log cannot be read/);
    });
  }

  describe('createApiServer()', () => {
    const folder = mkdtempSync(join(tmpdir(), 'paas-api-'));
    after(() => rmSync(folder, { recursive: true }));

    async function serve(handler: Handler): Promise<ApiServer> {
      const api = createApiServer(new Router([{ method: 'POST', pattern: '/x', handler }]), 'root');
      await new Promise<void>((resolve) => api.server.listen(join(folder, 'sock'), resolve));
      return api;
    }

    function ask(headers: string): Socket {
      const socket = connect(join(folder, 'sock'));
      socket.write(`POST /x HTTP/1.1\r\nHost: x\r\n${headers}Content-Length: 0\r\n\r\n`);
      return socket;
    }

    it('hangs up where something fails after the head of the answer', async () => {
      const { close } = await serve((exchange) => {
        exchange.hijack('a/b');
        throw new Error('planted');
      });
      for (const headers of ['', UPGRADE]) assert.match(await text(ask(headers)), /^HTTP\/1.1 (101|200)/);
      await close();
    });

    it('does not wait at its end for connections that are streams by now', async () => {
      const { close } = await serve((exchange) => void exchange.hijack('a/b'));
      const clients = ['', UPGRADE].map(ask);
      for (const client of clients) await once(client, 'data');
      await close();
      for (const client of clients) await text(client).catch(() => {});
    });
  });
});

/** How often this process has a file of that name open. */
function timesOpen(name: string): number {
  return openFiles().filter((file) => basename(file) === name).length;
}
