import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Router } from '../../../runtime/api/router.ts';
import { createApiServer } from '../../../runtime/api/server.ts';
import { listenOnSocket } from '../../../runtime/api/sockets.ts';
import { runtimePaths } from '../../../runtime/settings.ts';
import { BROKEN_MESSAGES, fuzzApi, occupy, sendBroken } from '../../fixtures/api-fuzz-run.ts';
import { complaintAbout, send } from '../../fixtures/api-fuzzer.ts';
import { seedFrom } from '../../fixtures/random.ts';
import { BASE, createEngineFixture, type EngineFixture } from '../engine-fixture.ts';
import { ProcessKernel } from '../process-kernel.ts';

const SEED = seedFrom('FUZZ_SEED');
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 800);

describe(`the Engine API under nonsense (FUZZ_SEED=${SEED} FUZZ_REQUESTS=${REQUESTS})`, function () {
  this.timeout(60_000 + REQUESTS * 50);
  let fixture: EngineFixture;
  let sockets: string[];

  beforeEach(async () => {
    fixture = await createEngineFixture(new ProcessKernel());
    const { dockerSocket, engineSocket } = runtimePaths(fixture.settings);
    sockets = [dockerSocket, engineSocket];
  });

  afterEach(async () => {
    await fixture.removeContainers();
    await fixture.remove();
  });

  for (const [index, name] of ['root', 'platform'].entries()) {
    it(`answers every request on the ${name}'s socket with success or 4xx and a message`, async () => {
      const { docker, platform, runtime } = fixture;
      const { complaints, kinds } = await fuzzApi({
        docker: index === 0 ? docker : platform,
        socketPath: sockets[index]!,
        routes: runtime.routes,
        image: BASE,
        seed: SEED + index,
        requests: REQUESTS / 2,
      });
      assert.deepEqual(complaints, []);
      // Else nothing was tried.
      assert.ok(kinds[2]! > REQUESTS / 50 && kinds[4]! > REQUESTS / 10, JSON.stringify(kinds));

      assert.equal((await docker.ping()).toString(), 'OK');
    });
  }

  it('answers what is no request with 4xx and a message, and hangs up', async () => {
    for (const message of BROKEN_MESSAGES) {
      const answer = await sendBroken(sockets[0]!, message);
      if (answer !== '')
        assert.match(
          answer,
          /^HTTP\/1\.1 (200 |[45]\d\d [\s\S]*\r\n\r\n{"message":"[^"]+)/,
          JSON.stringify(message.slice(0, 80)),
        );
    }
    assert.equal((await fixture.docker.ping()).toString(), 'OK');
  });

  it('does not read a body without end', async () => {
    const body = JSON.stringify({ Image: 'x'.repeat(6 * 1024 * 1024) });
    const fuzzed = { method: 'POST', path: '/containers/create', headers: {}, body };
    const answer = await send(sockets[0]!, fuzzed, 10_000);
    assert.match(`${answer.status} ${answer.body}`, /^400 .*larger/);
  });

  it('serves others while two thousand connections say nothing', async () => {
    const release = await occupy(sockets[1]!, 2000);
    try {
      assert.equal((await fixture.docker.ping()).toString(), 'OK');
      assert.equal((await fixture.platform.ping()).toString(), 'OK');
    } finally {
      release();
    }
  });

  it('control: a handler that fails is found', async () => {
    const router = new Router([
      {
        method: 'GET',
        pattern: '/x',
        handler: () => {
          throw new TypeError('planted');
        },
      },
    ]);
    const { server } = createApiServer(router, 'root');
    const path = `${fixture.settings.data}/planted.sock`;
    await listenOnSocket(server, path, undefined);
    const { error } = console;
    console.error = () => {};
    try {
      const fuzzed = { method: 'GET', path: '/x', headers: {}, body: undefined };
      assert.match(complaintAbout(fuzzed, await send(path, fuzzed, 5000)) ?? '', /^500/);
    } finally {
      console.error = error;
      server.close();
    }
  });
});
