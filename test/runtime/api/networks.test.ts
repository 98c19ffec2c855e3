import assert from 'node:assert/strict';
import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { createEngineFixture, type EngineFixture } from '../engine-fixture.ts';
import { ProcessKernel } from '../process-kernel.ts';

describe('networks, through the API', () => {
  let fixture: EngineFixture;
  let docker: Docker;

  beforeEach(async () => {
    fixture = await createEngineFixture(new ProcessKernel());
    docker = fixture.docker;
    await docker.createNetwork({ Name: 'plain' });
    await docker.createNetwork({ Name: 'kept', Labels: { keep: 'yes' } });
  });

  afterEach(() => fixture.remove());

  const pruned = async (filters: object) =>
    (await docker.pruneNetworks({ filters: JSON.stringify(filters) })).NetworksDeleted ?? [];

  it('prunes none that is younger than until, or has an unwanted label', async () => {
    assert.deepEqual(await pruned({ until: ['24h'] }), []);
    assert.deepEqual(await pruned({ 'label!': ['keep'] }), ['plain']);
    assert.deepEqual(await pruned({ label: ['keep=yes'], until: [`${Date.now() / 1000 + 1}`] }), ['kept']);
  });

  it('takes no filter that it does not know: without it all would be meant', async () => {
    await assert.rejects(pruned({ name: ['plain'] }), { statusCode: 400 });
    await assert.rejects(pruned({ until: ['yesterday'] }), { statusCode: 400 });
    await assert.rejects(docker.listNetworks({ filters: JSON.stringify({ nme: ['plain'] }) }), {
      statusCode: 400,
    });
    assert.equal((await docker.listNetworks()).length, 4);
  });
});
