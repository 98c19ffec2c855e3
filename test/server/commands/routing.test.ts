import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Activity } from '../../../deploy/activity.ts';
import { AppDomains } from '../../../deploy/app-domains.ts';
import { AppRedirects } from '../../../deploy/app-redirects.ts';
import { AppVisitors } from '../../../deploy/app-visitors.ts';
import { AppLogs } from '../../../deploy/logs/app-log.ts';
import { AppStore } from '../../../deploy/store/app-store.ts';
import { Database } from '../../../deploy/store/database.ts';
import { DomainStore } from '../../../deploy/store/domain-store.ts';
import { EventStore } from '../../../deploy/store/event-store.ts';
import { VisitorStore } from '../../../deploy/store/visitor-store.ts';
import { CommandFixture, type Outcome } from './command-fixture.ts';

/** The commands before the platform's real parts and a database of their own. */
describe('commands of routing, with the real store', () => {
  let folder: string;
  let paas: CommandFixture;
  let database: Database;
  let visitors: VisitorStore;
  let published: number;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'routing-'));
    paas = new CommandFixture();
    paas.platform.addApp('shop');
    database = new Database(join(folder, 'paas.db'));
    const store = new AppStore(database);
    for (const app of ['blog', 'shop']) store.create(app, 'alice');
    visitors = new VisitorStore(database);
    published = 0;
    const options = {
      store,
      domains: new DomainStore(database),
      visitors,
      activity: new Activity(new EventStore(database), new AppLogs(folder)),
      domain: 'apps.example.com',
      publishRoutes: async () => void published++,
    };
    paas.platform.domains = new AppDomains(options);
    paas.platform.redirects = new AppRedirects(options);
    paas.platform.visitors = new AppVisitors(options);
  });

  afterEach(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });

  /** Must succeed. */
  async function run(line: string, input = ''): Promise<Outcome> {
    const outcome = await paas.run(line, { input });
    assert.equal(outcome.status, 0, `${line}: ${outcome.stderr}`);
    return outcome;
  }

  async function refuse(line: string, status: number, message: RegExp): Promise<void> {
    const before = published;
    const outcome = await paas.run(line);
    assert.equal(outcome.status, status, `${line}: ${outcome.stderr}`);
    assert.match(outcome.stderr, message, line);
    assert.equal(published, before, `${line} published`);
  }

  it('domains: exact, wildcards, paths, in every spelling', async () => {
    await run('domains:add WWW.Example.COM. -a blog');
    await run('domains:add *.Example.com -a blog');
    await run('domains:add example.com/api/ --strip -a shop');
    assert.equal(
      (await run('domains:add Bücher.Example -a blog')).stderr,
      'Adding xn--bcher-kva.example to blog... done\n',
    );
    assert.equal(published, 4);
    assert.equal(
      (await run('domains -a blog')).stdout.replaceAll(/ {2,}/g, ' | '),
      `DOMAIN | KIND
blog.apps.example.com | built in
*.example.com | added
www.example.com | added
xn--bcher-kva.example (bücher.example) | added
`,
    );
    assert.deepEqual(JSON.parse((await run('domains -a shop --json')).stdout)[1], {
      hostname: 'example.com',
      path: '/api',
      strip: true,
      passthrough: null,
      builtIn: false,
      unicode: null,
    });
    await run('domains:remove bücher.example -a blog');
    await run('domains:remove example.com/api -a shop');
    await refuse('domains:remove www.example.com -a shop', 3, /shop has no domain "www\.example\.com"/);
  });

  it('domains: one place, one app; none of the platform; nothing that is none', async () => {
    await run('domains:add example.com -a blog');
    await run('domains:add example.com/api -a shop');
    await refuse('domains:add example.com -a shop', 5, /The domain example\.com belongs to another app/);
    await refuse('domains:add EXAMPLE.com/api -a shop', 5, /shop has the domain example\.com\/api already/);
    await refuse('domains:add www.apps.example.com -a blog', 5, /belong to the platform/);
    await refuse('domains:add *.apps.example.com -a blog', 5, /belong to the platform/);
    for (const name of [
      '*',
      '*.',
      'a.*.example.com',
      'exa mple.com',
      'http://example.com',
      '10.0.0.1',
      'example.org/a?b',
      'example.org/..',
      'example.org//',
      'x'.repeat(64),
    ]) {
      await refuse(`domains:add "${name}" -a blog`, 2, /is no|is a URL/);
    }
    await refuse('domains:add example.org --strip -a blog', 2, /nothing to strip/);
    await refuse('domains:add example.org/x --passthrough 8443 -a blog', 2, /has a path/);
    await refuse('domains:add example.org --passthrough 0 -a blog', 2, /0 is no port/);
    await refuse('domains:add example.org --passthrough https -a blog', 2, /is no port/);
    await run('domains:add example.org --passthrough 8443 -a blog');
    assert.match(
      (await run('domains -a blog')).stdout,
      /^example\.org +added, TLS passed through to port 8443$/m,
    );
  });

  it('redirects', async () => {
    await run('domains:add example.com -a blog');
    assert.equal(
      (await run('redirects:add www.Example.com example.com -a blog')).stderr,
      'Adding a redirect to blog... done, www.example.com leads to example.com (301)\n',
    );
    await run('redirects:add blog *.example.org HTTPS://Example.com:8443/ --status 308');
    assert.match(
      (await run('redirects -a blog')).stdout,
      /^\*\.example\.org +https:\/\/example\.com:8443 +308$/m,
    );
    assert.doesNotMatch((await run('domains -a blog')).stdout, /www/);
    await refuse(
      'redirects:add www.example.com example.net -a shop',
      5,
      /The redirect www\.example\.com belongs to another app/,
    );
    await refuse('domains:add www.example.com -a blog', 5, /blog has the redirect www\.example\.com already/);
    await refuse('redirects:add example.com example.net -a shop', 5, /belongs to another app/);
    await refuse('redirects:add a.example.net A.example.net -a blog', 2, /come back for ever/);
    await refuse('redirects:add *.example.net www.example.net -a blog', 2, /come back for ever/);
    await refuse(
      'redirects:add a.example.net www.example.com -a blog',
      2,
      /www\.example\.com is redirected itself/,
    );
    await refuse('redirects:add a.example.net example.com/x -a blog', 2, /without a path/);
    await refuse('redirects:add a.example.net/x example.com -a blog', 2, /has a path/);
    await refuse('redirects:add a.example.net example.com --status 200 -a blog', 2, /200 is no status/);
    await refuse('domains:remove www.example.com -a blog', 3, /no domain/);
    await refuse('redirects:remove example.com -a blog', 3, /no redirect/);
    await run('redirects:remove www.example.com -a blog');
    await run('domains:add www.example.com -a shop');
  });

  it('access', async () => {
    assert.equal((await run('access -a blog')).stderr, 'blog may be visited from everywhere\n');
    await run('access:allow 10.0.0.0/8 203.0.113.7 -a blog');
    await run('access:allow 2001:DB8::/32 10.0.0.0/8 -a blog');
    assert.equal((await run('access -a blog')).stdout, '10.0.0.0/8\n203.0.113.7\n2001:db8::/32\n');
    for (const range of [
      '10.0.0.0/33',
      '10.0.0',
      '10.0.0.0/',
      '2001:db8::/129',
      'example.com',
      '10.0.0.0/8/8',
    ]) {
      await refuse(`access:allow ${range} -a blog`, 2, /is no address/);
    }
    await refuse('access:remove 10.1.0.0/16 -a blog', 3, /not on the list/);
    await refuse('access:remove -a blog', 2, /--all/);
    await run('access:remove 203.0.113.7 2001:db8::/32 -a blog');
    assert.match((await run('access:remove 10.0.0.0/8 -a blog')).stderr, /from everywhere/);
    assert.deepEqual(visitors.all(), new Map());
  });

  it('http-auth: passwords given, read and made, kept as hashes', async () => {
    await run('http-auth:add ada secret -a blog');
    await run('http-auth:add bob - -a blog', 'pass word\n');
    const made = JSON.parse((await run('http-auth:add eve -a blog --json')).stdout);
    assert.match(made.password, /^[\w-]{20}$/);
    assert.equal((await run('http-auth -a blog')).stdout, 'ada\nbob\neve\n');
    const kept = JSON.stringify(visitors.find('blog'));
    assert.doesNotMatch(kept, /secret|pass word/);
    assert.equal(kept.match(/scrypt:16384:8:1:[\w-]{22}:[\w-]{43}/g)?.length, 3);
    await run('http-auth:add ada other -a blog');
    assert.notEqual(JSON.stringify(visitors.find('blog')), kept);
    await refuse('http-auth:add "a:b" x -a blog', 2, /no name to sign in with/);
    await refuse('http-auth:remove nobody -a blog', 3, /no name "nobody"/);
    for (const name of ['ada', 'bob', 'eve']) await run(`http-auth:remove ${name} -a blog`);
    assert.deepEqual(visitors.all(), new Map());
  });

  it('rate-limit', async () => {
    assert.match(
      (await run('rate-limit:set 600/m --burst 50 -a blog')).stderr,
      /done, each client: 600\/m, 50 at once/,
    );
    assert.deepEqual(JSON.parse((await run('rate-limit -a blog --json')).stdout), {
      requests: 600,
      milliseconds: 60_000,
      burst: 50,
    });
    for (const rate of ['0/s', '10', '10/d', '-1/s', '1.5/s', '1000000/s']) {
      await refuse(`rate-limit:set -a blog -- ${rate}`, 2, /is no rate/);
    }
    await refuse('rate-limit:set 1/s --burst 0 -a blog', 2, /is no number/);
    await run('rate-limit:clear -a blog');
    assert.equal((await run('rate-limit -a blog --json')).stdout, 'null\n');
  });

  it('error-pages and ps:sticky', async () => {
    await run('error-pages:set 503 - -a blog', '<h1>Später</h1>');
    assert.deepEqual(JSON.parse((await run('error-pages -a blog --json')).stdout), [
      { status: 503, bytes: 16 },
    ]);
    await refuse('error-pages:set 404 - -a blog', 2, /no page for 404|empty/);
    await refuse('error-pages:set 503 page.html -a blog', 2, /Files are not sent/);
    await refuse('error-pages:clear 502 -a blog', 3, /no page of its own/);
    await run('error-pages:clear 503 -a blog');
    await run('ps:sticky on -a blog');
    assert.equal((await run('ps:sticky -a blog')).stdout, 'on\n');
    await refuse('ps:sticky maybe -a blog', 2, /neither on nor off/);
    await run('ps:sticky off -a blog');
    assert.deepEqual(visitors.all(), new Map());
  });
});
