import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, it } from 'mocha';
import type { Route } from '../../../runtime/api/router.ts';
import { createEngineFixture, type EngineFixture } from '../engine-fixture.ts';
import { ProcessKernel } from '../process-kernel.ts';

const PAGE = new URL('../../../docs/docker-api.md', import.meta.url);
/** Every endpoint of Docker's published description of version 1.47: `METHOD /path` a line. */
const PUBLISHED = new URL('../../fixtures/engine-api-1.47.txt', import.meta.url);

interface Row {
  endpoint: string;
  supported: string;
  note: string;
}

describe('docs/docker-api.md', () => {
  const page = readFileSync(PAGE, 'utf8');
  const rows = readRows(page);
  let fixture: EngineFixture;

  before(async () => {
    fixture = await createEngineFixture(new ProcessKernel());
  });
  after(() => fixture.remove());

  it('lists every endpoint that Docker has, once, and no other', () => {
    const published = readFileSync(PUBLISHED, 'utf8').trim().split('\n');
    assert.deepEqual(rows.map((row) => row.endpoint).sort(), published.sort());
  });

  it('says of each endpoint what the runtime says', () => {
    const own = fixture.runtime.routes.filter((route) => /^\/forwards$|\/listening$/.test(route.pattern));
    const dockers = fixture.runtime.routes.filter((route) => !own.includes(route));
    assert.deepEqual(contradictions(rows, dockers), []);
    for (const route of own) assert.match(page, new RegExp(`^- \`${endpointOf(route)}\``, 'm'));
  });

  it('contradictions() finds a planted lie, both ways', () => {
    const route = (method: Route['method'], pattern: string): Route => ({
      method,
      pattern,
      handler: () => {},
    });
    const row = (supported: string, note = '') => ({ endpoint: 'GET /images/{name}/json', supported, note });
    assert.equal(contradictions([row('yes')], []).length, 1);
    assert.equal(contradictions([row('no')], [route('GET', '/images/{name*}/json')]).length, 1);
    assert.equal(contradictions([row('partly')], [route('GET', '/images/{name*}/json')]).length, 1);
    assert.equal(
      contradictions([row('yes')], [{ ...route('GET', '/images/{name*}/json'), refused: true }]).length,
      1,
    );
    assert.equal(contradictions([row('partly', 'x')], [route('GET', '/images/{name*}/json')]).length, 0);
  });
});

function readRows(page: string): Row[] {
  const lines = page.matchAll(/^\| ([A-Z]+) \| `([^`]+)` \| (\w+) \| (.*?) ?\|$/gm);
  return [...lines].map(([, method, path, supported, note]) => ({
    endpoint: `${method} ${path}`,
    supported: supported!,
    note: note!,
  }));
}

function contradictions(rows: Row[], routes: readonly Route[]): string[] {
  const done = routes.filter((route) => !route.refused).map(endpointOf);
  const wrong = rows.flatMap(({ endpoint, supported, note }) => {
    if (!['yes', 'partly', 'no'].includes(supported)) return [`${endpoint}: "${supported}"`];
    if ((supported !== 'no') !== done.includes(endpoint)) return [`${endpoint}: ${supported}`];
    return supported === 'partly' && note === '' ? [`${endpoint}: partly, but what?`] : [];
  });
  const unlisted = done.filter((endpoint) => !rows.some((row) => row.endpoint === endpoint));
  return [...wrong, ...unlisted.map((endpoint) => `${endpoint}: not on the page`)];
}

function endpointOf({ method, pattern }: Route): string {
  return `${method} ${pattern.replaceAll('*}', '}')}`;
}
