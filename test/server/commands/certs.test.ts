import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import { Activity } from '../../../deploy/activity.ts';
import { AppDomains } from '../../../deploy/app-domains.ts';
import { AppHttps } from '../../../deploy/app-https.ts';
import { AppLogs } from '../../../deploy/logs/app-log.ts';
import { AppStore } from '../../../deploy/store/app-store.ts';
import { CertificateStore } from '../../../deploy/store/certificate-store.ts';
import { Database } from '../../../deploy/store/database.ts';
import { DomainStore } from '../../../deploy/store/domain-store.ts';
import { EventStore } from '../../../deploy/store/event-store.ts';
import { HttpsStore } from '../../../deploy/store/https-store.ts';
import { AppCertificates } from '../../../deploy/tls/certificates.ts';
import { noAutomaticCertificates } from '../../../deploy/tls/no-automatic-certificates.ts';
import { CertificateMaker, type Made } from '../../deploy/tls/certificate-maker.ts';
import { CommandFixture, type Outcome } from './command-fixture.ts';

/** The commands before the platform's real parts and a database of their own. */
describe('commands of HTTPS, with the real store', () => {
  const maker = new CertificateMaker();
  let folder: string;
  let paas: CommandFixture;
  let database: Database;
  let certificates: AppCertificates;
  let events: EventStore;
  let published: number;
  let site: Made;
  let wildcard: Made;

  before(() => {
    const root = maker.authority();
    site = maker.make({ issuer: root, names: ['www.example.com', 'shop.example.com'] });
    wildcard = maker.make({ issuer: root, names: ['*.example.com'], days: 30 });
  });
  after(() => maker.dispose());

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'certs-'));
    paas = new CommandFixture();
    paas.platform.addApp('shop');
    published = 0;
    openPlatform();
  });
  afterEach(() => {
    database.close();
    rmSync(folder, { recursive: true });
  });

  function openPlatform(): void {
    database = new Database(join(folder, 'paas.db'));
    const apps = new AppStore(database);
    for (const app of ['blog', 'shop']) if (!apps.has(app)) apps.create(app, 'alice');
    events = new EventStore(database);
    const domains = new DomainStore(database);
    const activity = new Activity(events, new AppLogs(folder));
    const https = new HttpsStore(database);
    const publishRoutes = async () => void published++;
    const options = { apps, domains, domain: 'apps.example.com', activity, publishRoutes };
    certificates = new AppCertificates({
      ...options,
      store: new CertificateStore(database),
      https,
      automatic: noAutomaticCertificates,
      log: () => {},
    });
    paas.platform.certificates = certificates;
    paas.platform.https = new AppHttps({ ...options, store: apps, https });
    paas.platform.domains = new AppDomains({
      ...options,
      store: apps,
      publishRoutes: async () => certificates.refresh(),
    });
  }

  /** Must succeed. */
  async function run(line: string, input = ''): Promise<Outcome> {
    const outcome = await paas.run(line, { input });
    assert.equal(outcome.status, 0, `${line}: ${outcome.stderr}`);
    return outcome;
  }

  async function refuse(
    line: string,
    { status, message, input = '' }: { status: number; message: RegExp; input?: string },
  ): Promise<void> {
    const before = published;
    const outcome = await paas.run(line, { input });
    assert.equal(outcome.status, status, `${line}: ${outcome.stderr}`);
    assert.match(outcome.stderr, message, line);
    assert.equal(published, before, `${line} published`);
  }

  /** Host → its certificate's names. */
  function shown(): Record<string, string> {
    const names: Record<string, string> = {};
    for (const { hosts, chain, key } of certificates.tls().certificates) {
      const made = [site, wildcard].find((candidate) => candidate.chain === chain)!;
      assert.equal(key, made.key);
      for (const host of hosts) names[host] = made === site ? 'site' : 'wildcard';
    }
    return names;
  }

  it('certs:add is for hosts of the app, and survives a restart', async () => {
    await refuse('certs:add - -a blog', {
      status: 5,
      message: /blog answers at blog.apps.example.com/,
      input: both(site),
    });
    await run('domains:add www.example.com -a blog');
    const added = await run('certs:add - -a blog', both(site));
    assert.equal(added.stderr, 'Adding a certificate to blog... done, for www.example.com\n');
    assert.deepEqual(shown(), { 'www.example.com': 'site' });

    database.close();
    openPlatform();
    assert.deepEqual(shown(), { 'www.example.com': 'site' });
    assert.match(
      (await run('certs -a blog')).stdout.replaceAll(/ {2,}/g, ' | '),
      /^HOST \| CERTIFICATE \| ISSUER \| EXPIRES \| NOTE\nblog.apps.example.com \| none \| - \| -\nwww.example.com \| own \| Test root \(Test\) \| 20\d\d-\d\d-\d\d\n$/,
    );
  });

  it('an app does not show a certificate for what is not its own', async () => {
    await run('domains:add www.example.com -a blog');
    await run('domains:add shop.example.com -a shop');
    await run('certs:add - -a blog', both(wildcard));
    assert.deepEqual(shown(), { 'www.example.com': 'wildcard' });
    await run('domains:add *.example.com -a blog');
    assert.deepEqual(shown(), { 'www.example.com': 'wildcard', '*.example.com': 'wildcard' });
    await run('certs:add - -a shop', both(site));
    assert.deepEqual(shown(), {
      'www.example.com': 'wildcard',
      '*.example.com': 'wildcard',
      'shop.example.com': 'site',
    });
  });

  it('the newer one is shown; one with the same names takes the place', async () => {
    await run('domains:add www.example.com -a blog');
    for (const made of [wildcard, site, site]) await run('certs:add - -a blog', both(made));
    assert.deepEqual(shown(), { 'www.example.com': 'site' });
    const kinds = JSON.parse((await run('certs -a blog --json')).stdout).map(
      ({ kind }: { kind: string }) => kind,
    );
    assert.deepEqual(kinds, ['none', 'own', 'unused']);
    await run('certs:remove www.example.com -a blog');
    assert.deepEqual(shown(), { 'www.example.com': 'wildcard' });
    await run('certs:remove *.example.com -a blog');
    assert.deepEqual(shown(), {});
    await refuse('certs:remove www.example.com -a blog', { status: 3, message: /no certificate of its own/ });
  });

  it("the platform's is for all names below its domain, and an app's own goes before it", async () => {
    const platforms = maker.make({ names: ['*.apps.example.com'] });
    await refuse('global-cert:add -', {
      status: 5,
      message: /no name below apps.example.com/,
      input: both(site),
    });
    await run('global-cert:add -', both(platforms));
    assert.deepEqual(
      certificates.tls().certificates.map(({ hosts }) => hosts.toSorted()),
      [['*.apps.example.com', 'blog.apps.example.com', 'paas.apps.example.com', 'shop.apps.example.com']],
    );
    assert.match((await run('certs -a shop')).stdout, /shop.apps.example.com {2}the platform's/);
    assert.match((await run('global-cert')).stdout, /paas.apps.example.com {2}the platform's/);
    const own = maker.make({ names: ['shop.apps.example.com'] });
    await run('certs:add - -a shop', both(own));
    assert.equal(
      certificates
        .tls()
        .certificates.find(({ chain }) => chain === own.chain)
        ?.hosts.join(),
      'shop.apps.example.com',
    );
    await run('global-cert:remove paas.apps.example.com');
    assert.equal(certificates.tls().certificates.length, 1);
  });

  it('no key stands in what is printed, nor in events', async () => {
    await run('domains:add www.example.com -a blog');
    const secret = site.key.split('\n')[1]!;
    const outputs = [
      await run('certs:add - -a blog --json', both(site)),
      await run('certs -a blog --json'),
      await run('certs:info www.example.com -a blog'),
      await run('certs:info -a blog --json'),
      await run('https -a blog --json'),
    ];
    for (const { stdout, stderr } of outputs) assert.ok(!(stdout + stderr).includes(secret));
    const trail = events.list('blog', 100).map(({ action, text }) => `${action}: ${text}`);
    assert.ok(
      trail.includes('certs:add: Certificate for www.example.com, shop.example.com added'),
      trail.join('\n'),
    );
    assert.ok(!trail.join().includes(secret));
  });

  it('says what is wrong, and changes nothing', async () => {
    await run('domains:add www.example.com -a blog');
    await refuse('certs:add site.crt site.key -a blog', { status: 2, message: /plain ssh does not send/ });
    await refuse('certs:add - -a blog', { status: 2, message: /no private key/, input: site.chain });
    await refuse('certs:add - -a nobody', { status: 3, message: /no app "nobody"/, input: both(site) });
    await refuse('certs:info www.example.org -a blog', { status: 3, message: /no host/ });
    await refuse('https:redirect yes -a blog', { status: 2, message: /neither on nor off/ });
    await refuse('https:hsts 315360001 -a blog', { status: 2, message: /ten years/ });
    await refuse('https:hsts soon -a blog', { status: 2, message: /no time/ });
  });

  it('certs:auto and certs:renew say where the platform orders none for anybody', async () => {
    const why = /asks no certificate authority: its operator has not set PAAS_ACME_EMAIL/;
    const on = await run('certs:auto on -a blog');
    assert.match(on.stderr, why);
    assert.match((await run('certs:auto -a blog')).stderr, why);
    assert.doesNotMatch((await run('certs:auto off -a blog')).stderr, why);
    const renewed = await paas.run('certs:renew -a blog');
    assert.equal(renewed.status, 1);
    assert.match(renewed.stderr, why);
  });

  it('https: redirect and HSTS', async () => {
    assert.deepEqual(JSON.parse((await run('https -a blog --json')).stdout), { redirect: false, hsts: null });
    await run('https:redirect on -a blog');
    await run('https:hsts 1h -a blog');
    assert.equal((await run('https -a blog')).stdout, 'Redirect: on\nHSTS:     3600 seconds\n');
    await run('https:hsts 0 -a blog');
    assert.deepEqual(JSON.parse((await run('https blog --json')).stdout), { redirect: true, hsts: 0 });
    await run('https:hsts off -a blog');
    assert.deepEqual(JSON.parse((await run('https blog --json')).stdout), { redirect: true, hsts: null });
  });
});

function both({ chain, key }: Made): string {
  return chain + key;
}
