import assert from 'node:assert/strict';
import { request } from 'node:http';
import { json } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { runtimePaths } from '../../../runtime/settings.ts';
import { BASE, createEngineFixture, type EngineFixture } from '../engine-fixture.ts';
import { ProcessKernel } from '../process-kernel.ts';

describe('images, through the API', () => {
  let fixture: EngineFixture;
  let docker: Docker;

  beforeEach(async () => {
    fixture = await createEngineFixture(new ProcessKernel());
    docker = fixture.docker;
  });

  afterEach(async () => {
    await fixture.removeContainers();
    await fixture.remove();
  });

  /** Commits a container that never ran. Returns the image's id. */
  async function commit(image: string, query: object, client = docker): Promise<string> {
    const container = await client.createContainer({ Image: image, Cmd: ['/bin/true'] });
    const { Id } = await container.commit(query);
    await container.remove();
    return Id;
  }

  async function ask(path: string, method = 'GET') {
    const socketPath = runtimePaths(fixture.settings).dockerSocket;
    return new Promise<{ status: number; body: Record<string, unknown> }>((resolve, reject) => {
      const asked = request({ socketPath, path, method }, async (response) => {
        resolve({
          status: response.statusCode ?? 0,
          body: (await json(response)) as Record<string, unknown>,
        });
      });
      asked.on('error', reject).end();
    });
  }

  async function listed(filters: object, all = false): Promise<string[]> {
    const images = await docker.listImages({ all, filters: JSON.stringify(filters) });
    return images.map(({ Id, RepoTags }) => RepoTags?.[0] ?? Id.slice(0, 19));
  }

  it('lists by reference, label, dangling, before and since', async () => {
    await commit(BASE, { repo: 'a', tag: 'v1', changes: 'LABEL tier=web' });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await commit('a:v1', { repo: 'b', tag: 'v1', changes: 'LABEL tier=db' });
    const nameless = await commit('b:v1', {});
    assert.deepEqual(await listed({ reference: ['a'] }), ['a:v1']);
    assert.deepEqual(await listed({ label: ['tier=web'] }), ['a:v1']);
    assert.deepEqual(await listed({ dangling: ['true'] }), [nameless.slice(0, 19)]);
    assert.deepEqual(await listed({ before: ['b:v1'], since: [BASE] }), ['a:v1']);
    assert.deepEqual(await listed({ until: ['1h'] }), []);
    assert.equal((await ask('/images/json?filters={"colour":["red"]}')).status, 400);
  });

  it('a commit keeps who made it, why, and what changed; its history says how', async () => {
    const id = await commit(BASE, {
      repo: 'a',
      author: 'Ada',
      comment: 'the first',
      changes: 'ENV A=1\nVOLUME /data\nSTOPSIGNAL SIGINT',
    });
    const image = await docker.getImage('a').inspect();
    assert.deepEqual([image.Author, image.Comment], ['Ada', 'the first']);
    assert.ok(image.Config.Env.includes('A=1'));
    assert.deepEqual(image.Config.Volumes, { '/data': {} });
    const [top, base] = await docker.getImage(id).history();
    assert.deepEqual(
      [top.Id, top.Tags, top.CreatedBy, top.Comment],
      [id, ['a:latest'], '/bin/true', 'the first'],
    );
    assert.equal(base.Id, '<missing>');
    const container = await docker.createContainer({ Image: 'a', Cmd: ['/bin/true'] });
    const { Config } = await container.inspect();
    assert.equal((Config as { StopSignal?: string }).StopSignal, 'SIGINT');
    await assert.rejects(container.commit({ changes: 'RUN id' }), { statusCode: 400 });
  });

  it('removes names first, then the image and what was only there for it', async () => {
    const below = await commit(BASE, {});
    const id = await commit(below, { repo: 'a', tag: 'v1' });
    await docker.getImage(id).tag({ repo: 'b', tag: 'v2' });
    assert.deepEqual(await docker.getImage('a:v1').remove(), [{ Untagged: 'a:v1' }]);
    assert.deepEqual(await docker.getImage('b:v2').remove(), [
      { Untagged: 'b:v2' },
      { Deleted: id },
      { Deleted: below },
    ]);
    await assert.rejects(docker.getImage(id).inspect(), { statusCode: 404 });
  });

  it('prunes what has no name, never what is used, and of each socket only what it made', async () => {
    const mine = await commit(BASE, {});
    const theirs = await commit(BASE, {}, fixture.platform);
    const used = await commit(BASE, { repo: 'used' });
    await docker.createContainer({ Image: used, Cmd: ['/bin/true'] });
    await commit(BASE, { repo: 'named' });
    const pruned = await docker.pruneImages();
    assert.deepEqual(pruned.ImagesDeleted, [{ Deleted: mine }]);
    const all = await docker.pruneImages({ filters: JSON.stringify({ dangling: ['false'] }) });
    assert.deepEqual(all.ImagesDeleted?.[0], { Untagged: 'named:latest' });
    assert.equal((await docker.getImage(used).inspect()).Id, used);
    assert.equal((await docker.getImage(theirs).inspect()).Id, theirs);
    assert.deepEqual((await fixture.platform.pruneImages()).ImagesDeleted, [{ Deleted: theirs }]);
  });

  it('a version of the API that there is not yet is refused', async () => {
    const { status, body } = await ask('/v1.48/version');
    assert.deepEqual(
      [status, body.message],
      [400, 'client version 1.48 is too new. Maximum supported API version is 1.47'],
    );
  });

  it('older versions of the API have the fields that their clients read', async () => {
    const fields = async (version: string) =>
      Object.keys((await ask(`/${version}/images/${BASE}/json`)).body);
    assert.ok((await fields('v1.43')).includes('VirtualSize'));
    assert.ok(!(await fields('v1.44')).includes('VirtualSize'));
    // docker-compose 1.29 asks by the newest version, and reads a field of the old ones.
    assert.ok((await fields('v1.47')).includes('ContainerConfig'));
  });

  it('what this runtime does not do says so, and what to do instead', async () => {
    const refused: [string, string, number, RegExp][] = [
      ['POST', '/images/a/push', 501, /no registry.*docker load/],
      ['GET', '/images/search?term=a', 501, /no registry/],
      ['POST', '/auth', 501, /no registry/],
      ['POST', '/build', 501, /git/],
      ['GET', '/services', 503, /not a swarm manager/],
      ['POST', '/swarm/init', 503, /not a swarm manager/],
      ['GET', '/nonesuch', 404, /does not know/],
    ];
    for (const [method, path, status, message] of refused) {
      const answer = await ask(path, method);
      assert.equal(answer.status, status, path);
      assert.match(String(answer.body.message), message);
    }
  });

  it('tells events of images', async () => {
    const events: { Action: string }[] = [];
    const stream = await docker.getEvents({ filters: { type: ['image'] } });
    stream.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().trim().split('\n')) events.push(JSON.parse(line));
    });
    const id = await commit(BASE, { repo: 'a' });
    await docker.getImage(id).tag({ repo: 'b' });
    await docker.getImage('b').remove();
    await docker.getImage('a').remove();
    await new Promise((resolve) => setTimeout(resolve, 50));
    (stream as unknown as { destroy(): void }).destroy();
    assert.deepEqual(
      events.map(({ Action }) => Action),
      ['tag', 'untag', 'untag', 'delete'],
    );
  });
});
