import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

describe('the docker client, whatever version of the API it speaks', function () {
  this.timeout(120_000);
  const engine = engineSuite([DOCKER]);

  afterEach(() => {
    delete process.env.DOCKER_API_VERSION;
  });

  const docker = (...args: string[]) => engine.output(...args);

  for (const version of [undefined, '1.45', '1.43', '1.41']) {
    it(`${version ?? 'negotiated'}: runs, looks, counts and cleans up`, async () => {
      if (version) process.env.DOCKER_API_VERSION = version;
      assert.equal(await docker('version', '-f', '{{.Client.APIVersion}}'), `${version ?? '1.47'}\n`);
      assert.match(
        await docker('info'),
        /Cgroup Version: [12]\n.*Swarm: inactive.*Live Restore Enabled: true/s,
      );
      assert.equal(
        await docker('run', '--name', 'one', '-v', '/own', '-v', 'named:/named', BASE, 'echo', 'hi'),
        'hi\n',
      );
      await docker('commit', 'one', 'mine:v1');
      assert.match(await docker('images', '--digests', 'mine'), /^mine\s+v1\s+<none>/m);
      assert.match(await docker('image', 'inspect', '-f', '{{.Os}} {{.Size}}', 'mine:v1'), /^linux \d{6,}\n/);
      assert.equal((await docker('history', '-q', 'mine:v1')).split('\n').length, 3);
      const usage = await docker('system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}}');
      assert.deepEqual(usage.trim().split('\n'), [
        'Images 2 1',
        'Containers 1 0',
        'Local Volumes 2 2',
        'Build Cache 0 0',
      ]);
      assert.match(await docker('system', 'df', '-v'), /mine\s+v1/);
      assert.match(await docker('ps', '-as', '--format', '{{.Size}}'), /virtual/);
      const pruned = await docker('system', 'prune', '-af', '--volumes');
      assert.match(pruned, /Deleted Containers:.*Deleted Volumes:.*Deleted Images:.*untagged: mine:v1/s);
      assert.equal(await docker('ps', '-aq'), '');
      assert.equal(await docker('images', '--format', '{{.Repository}}'), 'paas/base\n');
      await docker('volume', 'prune', '-af').catch(() => docker('volume', 'prune', '-f'));
      assert.equal(await docker('volume', 'ls', '-q'), '');
    });
  }

  it('what there is not says so, and what to do instead', async () => {
    const refused: [string[], RegExp][] = [
      [['pull', 'debian'], /no registry.*docker load/],
      [['run', 'nonesuch'], /no registry/],
      [['push', BASE], /no registry/],
      [['search', 'debian'], /no registry/],
      [['service', 'ls'], /not a swarm manager/],
      [['swarm', 'init'], /not a swarm manager/],
      [['node', 'ls'], /not a swarm manager/],
    ];
    for (const [args, message] of refused) {
      const { code, stderr } = await engine.client(...args);
      assert.notEqual(code, 0, args.join(' '));
      assert.match(stderr, message, args.join(' '));
    }
    const ping = await fetchPing();
    assert.deepEqual(
      [ping['builder-version'], ping.swarm, ping['api-version'], ping.ostype],
      [undefined, 'inactive', '1.47', 'linux'],
    );
  });

  async function fetchPing(): Promise<Record<string, unknown>> {
    const { request } = await import('node:http');
    return new Promise((resolve, reject) => {
      const socketPath = `${engine.root}/run/docker.sock`;
      request({ socketPath, path: '/_ping', method: 'HEAD' }, (response) => resolve({ ...response.headers }))
        .on('error', reject)
        .end();
    });
  }
});
