import assert from 'node:assert/strict';
import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { type EngineEvent, microsecondsAfter } from '../../../runtime/containers/events.ts';
import { BASE, createEngineFixture, type EngineFixture } from '../engine-fixture.ts';
import { ProcessKernel } from '../process-kernel.ts';

interface Event {
  Type: string;
  Action: string;
  Actor: { ID: string; Attributes: Record<string, string> };
}

describe('events', () => {
  let fixture: EngineFixture;
  let docker: Docker;

  beforeEach(async () => {
    fixture = await createEngineFixture(new ProcessKernel());
    docker = fixture.docker;
  });

  afterEach(() => fixture.remove());

  /** What has happened so far. */
  async function happened(filters: object): Promise<Event[]> {
    const until = String(Date.now() / 1000);
    const stream = await docker.getEvents({ since: 1, until, filters: JSON.stringify(filters) } as object);
    let text = '';
    for await (const chunk of stream) text += chunk;
    return text.split('\n').flatMap((line) => (line === '' ? [] : JSON.parse(line)));
  }

  const actions = async (filters: object) =>
    (await happened(filters)).map(({ Type, Action }) => `${Type} ${Action}`);

  it('tell the name of a container, whatever its labels are called', async () => {
    const labels = { name: 'ubi', image: 'other', maker: 'me' };
    const container = await docker.createContainer({
      ...{ name: 'web', Image: BASE, Cmd: ['true'], Labels: labels },
    });
    const [event] = await happened({ container: ['web'], label: ['maker=me'] });
    assert.equal(event?.Actor.ID, container.id);
    assert.deepEqual(event?.Actor.Attributes, { name: 'web', image: BASE, maker: 'me' });
  });

  it('are let through by what they are of', async () => {
    const container = await docker.createContainer({ name: 'web', Image: BASE, Cmd: ['true'] });
    const { Id } = await container.commit({ repo: 'app', tag: 'v1', comment: 'why' });
    await docker.getImage('app:v1').tag({ repo: 'docker.io/library/app', tag: 'v2' });
    await docker.createNetwork({ Name: 'mine' });
    await docker.createContainer({ Image: 'app:v2', Cmd: ['true'] });
    assert.deepEqual(await actions({ network: ['mine'] }), ['network create']);
    assert.deepEqual(await actions({ container: ['web'] }), ['container create', 'container commit']);
    assert.deepEqual(await actions({ image: ['app'] }), ['image tag', 'container create']);
    assert.deepEqual(await actions({ image: ['app:v2'] }), ['image tag', 'container create']);
    assert.deepEqual(await actions({ image: [Id] }), ['image tag']);
    for (const kind of ['daemon', 'service']) assert.deepEqual(await actions({ [kind]: ['x'] }), []);
    assert.equal((await actions({ scope: ['local'] })).length, 5);
    const [commit] = await happened({ event: ['commit'] });
    const { comment, imageID, imageRef } = commit!.Actor.Attributes;
    assert.deepEqual({ comment, imageID, imageRef }, { comment: 'why', imageID: Id, imageRef: 'app:v1' });
  });

  it('tell of volumes that are made and removed', async () => {
    await docker.createVolume({ Name: 'data' });
    await docker.createVolume({ Name: 'data' });
    const container = await docker.createContainer({
      Image: BASE,
      Cmd: ['true'],
      HostConfig: { Binds: ['cache:/cache'] },
    });
    await container.remove();
    await docker.getVolume('data').remove();
    assert.deepEqual(await actions({ volume: ['data'] }), ['volume create', 'volume destroy']);
    assert.deepEqual(await actions({ type: ['volume'], volume: ['cache'] }), ['volume create']);
  });

  it('of a moment are neither before nor after it, whatever its fraction is in binary', () => {
    for (let ms = 1_764_458_222_000; ms < 1_764_458_223_000; ms++) {
      const event = { timeNano: ms * 1e6 } as EngineEvent;
      const seconds = Number(String(ms / 1000));
      assert.equal(microsecondsAfter(seconds, event), 0, String(seconds));
      assert.ok(
        microsecondsAfter(seconds + 0.001, event) < 0 && microsecondsAfter(seconds - 0.001, event) > 0,
      );
    }
  });
});
