import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'mocha';
import { PLATFORM_ROUTES } from '../../../runtime/api/platform-routes.ts';
import type { Route } from '../../../runtime/api/router.ts';
import { runtimePaths } from '../../../runtime/settings.ts';
import { BASE, createEngineFixture, type EngineFixture } from '../engine-fixture.ts';
import { ProcessKernel } from '../process-kernel.ts';

/** How long an endpoint may take that streams without end; its head has come by then. */
const PATIENCE_MILLISECONDS = 20_000;

describe('the two sockets', function () {
  this.timeout(60_000);
  let fixture: EngineFixture;
  /** What root has made, by the kind of thing that a pattern's `{id}` stands for. */
  const ofRoot: Record<string, string> = {};

  before(async () => {
    fixture = await createEngineFixture(new ProcessKernel());
    const container = await fixture.docker.createContainer({
      Image: BASE,
      Cmd: ['sleep', '60'],
      name: 'of-root',
    });
    await container.start();
    ofRoot.containers = container.id;
    ofRoot.exec = (await container.exec({ Cmd: ['true'] })).id;
    ofRoot.networks = (await fixture.docker.createNetwork({ Name: 'of-root' })).id;
  });
  after(async () => {
    await fixture.docker.getContainer('of-root').remove({ force: true });
    await fixture.remove();
  });

  const patternOf = ({ method, pattern }: Route) => `${method} ${pattern}`;

  /** The status that this route answers to a request that says nothing, for a thing of root's. */
  function status(route: Route, access: 'root' | 'platform'): Promise<number> {
    const kind = route.pattern.split('/')[1]!;
    const path = route.pattern.replace(/\{id\}/, ofRoot[kind] ?? 'nothing').replace(/\{\w+\*?\}/, 'nothing');
    const paths = runtimePaths(fixture.settings);
    const socketPath = access === 'root' ? paths.dockerSocket : paths.engineSocket;
    return new Promise((resolve, reject) => {
      const asked = request(
        { socketPath, path, method: route.method, timeout: PATIENCE_MILLISECONDS },
        (response) => {
          resolve(response.statusCode!);
          response.destroy();
        },
      );
      asked.on('timeout', () => asked.destroy(new Error(`${patternOf(route)} does not answer`)));
      asked.on('error', reject);
      asked.end(route.method === 'POST' ? '{}' : undefined);
    });
  }

  it('the platform’s has the endpoints of its table and no other', async () => {
    const foreign = fixture.runtime.routes.filter((route) => !PLATFORM_ROUTES.has(patternOf(route)));
    assert.ok(foreign.length > 10);
    for (const route of foreign) assert.equal(await status(route, 'platform'), 403, patternOf(route));
    const known = new Set(fixture.runtime.routes.map(patternOf));
    assert.deepEqual(
      [...PLATFORM_ROUTES].filter((route) => !known.has(route)),
      [],
    );
  });

  it('the platform’s knows no container or network of root’s, by whatever endpoint', async () => {
    const named = fixture.runtime.routes.filter(
      (route) =>
        PLATFORM_ROUTES.has(patternOf(route)) && /^\/(containers|networks)\/\{id\}/.test(route.pattern),
    );
    assert.ok(named.length > 15);
    for (const route of named) assert.equal(await status(route, 'platform'), 404, patternOf(route));
    assert.ok(
      (await fixture.docker.getContainer('of-root').inspect()).State.Running,
      'none of them did anything',
    );
  });

  it('root’s forbids nothing, and finds those', async () => {
    const harmless = fixture.runtime.routes.filter(({ method }) => method === 'GET');
    const answers = new Map<string, number>();
    for (const route of harmless) {
      if (/logs|attach|events|stats/.test(route.pattern)) continue;
      answers.set(patternOf(route), await status(route, 'root'));
    }
    assert.deepEqual(
      [...answers].filter(([, code]) => code === 403),
      [],
    );
    for (const kind of ['containers', 'exec', 'networks']) {
      const pattern = kind === 'networks' ? 'GET /networks/{id}' : `GET /${kind}/{id}/json`;
      assert.equal(answers.get(pattern), 200, pattern);
    }
  });
});
