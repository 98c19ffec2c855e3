import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { after, before, describe, it } from 'mocha';
import { instanceTag } from '../../runtime/containers/instance-tag.ts';
import { LinuxKernel } from '../../runtime/containers/linux-kernel.ts';
import { runtimePaths } from '../../runtime/settings.ts';
import { baseSystemFolder } from '../../server/host/base-system.ts';
import { fuzzApi } from '../fixtures/api-fuzz-run.ts';
import { seedFrom } from '../fixtures/random.ts';
import { testSubnet } from '../fixtures/test-subnet.ts';
import { BASE, createEngineFixture, type EngineFixture } from '../runtime/engine-fixture.ts';
import { whyNot } from './kernel-fixture.ts';

const SEED = seedFrom('FUZZ_SEED');
const REQUESTS = Number(process.env.FUZZ_REQUESTS ?? 600);

describe(`the Engine API with real containers, under nonsense (FUZZ_SEED=${SEED} FUZZ_REQUESTS=${REQUESTS})`, function () {
  this.timeout(60_000 + REQUESTS * 100);
  let fixture: EngineFixture;
  let kernel: LinuxKernel;
  const options = { run: `/run/paas-fuzz-${process.pid}`, subnet: testSubnet('api fuzz') };

  before(async function () {
    if (whyNot()) return this.skip();
    kernel = await LinuxKernel.open(options);
    fixture = await createEngineFixture(kernel, baseSystemFolder());
  });

  after(async () => {
    if (!fixture) return;
    await fixture.remove();
    await kernel.close();
    await LinuxKernel.remove(options);
    rmSync(options.run, { recursive: true, force: true });
    const tag = instanceTag(options.run);
    assert.deepEqual(
      readdirSync('/sys/class/net').filter((name) => name.includes(tag)),
      [],
    );
  });

  it('answers every request, and nothing of it is left when the containers are removed', async () => {
    const before = hostState();
    const { complaints, kinds } = await fuzzApi({
      docker: fixture.docker,
      socketPath: runtimePaths(fixture.settings).dockerSocket,
      routes: fixture.runtime.routes,
      image: BASE,
      seed: SEED,
      requests: REQUESTS,
    });
    assert.deepEqual(complaints, []);
    // Else nothing was tried.
    assert.ok(kinds[2]! > REQUESTS / 50 && kinds[4]! > REQUESTS / 10, JSON.stringify(kinds));

    for (const { Id } of await fixture.docker.listContainers({ all: true })) {
      await fixture.docker.getContainer(Id).remove({ force: true });
    }
    assert.deepEqual(await settled(() => hostState(), before), before);
  });
});

/** What requests could have changed outside of the containers. */
function hostState() {
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').length,
    hostname: readFileSync('/proc/sys/kernel/hostname', 'utf8'),
    root: readdirSync('/'),
    etc: readdirSync('/etc'),
  };
}

/** Mounts go a little later than their containers. */
async function settled<T>(look: () => T, wanted: T): Promise<T> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (JSON.stringify(look()) === JSON.stringify(wanted)) break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return look();
}
