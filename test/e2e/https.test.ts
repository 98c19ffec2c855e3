import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { AcmeServer } from '../fixtures/acme-server.ts';
import { get, Instance, type Outcome, run, whyNot } from './instance.ts';

/** Requests for hosts that nobody has; more by an environment variable. */
const STRANGERS = Number(process.env.ACME_STRANGERS ?? 2_000);

describe('HTTPS, with a certificate authority on loopback', function () {
  this.timeout(120_000);
  let authority: AcmeServer;
  let paas: Instance;

  before(async function () {
    if (whyNot()) return this.skip();
    authority = await AcmeServer.start();
    paas = await Instance.start({
      PAAS_ACME_EMAIL: 'ops@example.com',
      PAAS_ACME_DIRECTORY: authority.directory,
    });
    authority.ports = { http: paas.httpPort, https: httpsPort() };
    const folder = await paas.checkout('node-plain', 'site');
    await paas.deploy(folder);
  });

  after(async () => {
    await paas?.remove();
    await authority?.dispose();
  });

  function httpsPort(): number {
    return Number(paas.endpoints.https!.split(':').at(-1));
  }

  /** As a browser that trusts the authority. */
  function curl(host: string, ...args: string[]): Promise<Outcome> {
    return run('curl', [
      ...['-sS', '--noproxy', '*', '--max-time', '20', '--cacert', authority.root.files.certificate],
      ...['--resolve', `${host}:${httpsPort()}:127.0.0.1`, ...args, `https://${host}:${httpsPort()}/`],
    ]);
  }

  async function waitForCertificate(host: string): Promise<void> {
    for (const end = Date.now() + 30_000; ; ) {
      const entries = JSON.parse(await paas.paas('certs -a site --json'));
      const entry = entries.find((candidate: { hostname: string }) => candidate.hostname === host);
      if (entry?.kind === 'automatic') return;
      if (Date.now() > end) throw new Error(`${host} has no certificate: ${JSON.stringify(entry)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  it('a domain that is added gets a certificate by itself, and answers', async () => {
    await paas.paas('domains:add www.example.com -a site');
    await waitForCertificate('www.example.com');
    const { stdout, stderr, status } = await curl(
      'www.example.com',
      '-w',
      '%{http_version} %{ssl_verify_result}',
      '-o',
      '/dev/null',
    );
    assert.deepEqual([status, stdout], [0, '2 0'], stderr);
    await waitForCertificate('site.localhost');
    assert.equal(
      JSON.parse(await paas.paas('apps:info -a site --json')).url,
      `https://site.localhost:${httpsPort()}/`,
    );
    await paas.waitForLog(
      'site',
      /paas\[certs\]: Certificate for www\.example\.com issued by Test root \(Test\), valid until/,
      { flags: '-s paas' },
    );
    assert.match(
      await paas.paas('events -a site'),
      /certs site certs:auto: Certificate for www\.example\.com issued/,
    );
    assert.equal(authority.ordered.filter((host) => host === 'www.example.com').length, 1);
  });

  it('the dashboard has one too', async () => {
    for (
      const end = Date.now() + 20_000;
      !authority.validated.some((text) => text.endsWith(' paas.localhost'));
    )
      assert.ok(Date.now() < end, authority.validated.join());
    const kind = async () => JSON.parse(await paas.paas('global-cert --json'))[0].kind;
    for (let i = 0; i < 50 && (await kind()) !== 'automatic'; i += 1)
      await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal((await curl('paas.localhost', '-o', '/dev/null')).status, 0);
  });

  it('a certificate of its own goes before it, and back', async () => {
    const own = authority.issue(['www.example.com']);
    const added = await paas.ssh('certs:add - -a site', { stdin: own.chain + own.key });
    assert.equal(added.status, 0, added.stderr);
    const serial = async () => (await curl('www.example.com', '-o', '/dev/null', '-w', '%{certs}')).stdout;
    assert.match(await serial(), /Subject:CN *= *own/);
    await paas.paas('certs:remove www.example.com -a site');
    assert.doesNotMatch(await serial(), /CN *= *own/);
  });

  it('redirect and HSTS', async () => {
    await paas.paas('https:redirect on -a site');
    await paas.paas('https:hsts 1h -a site');
    const { status, headers } = await get(paas.httpPort, {
      path: '/a?b',
      headers: { host: 'www.example.com' },
    });
    assert.equal(status, 301);
    assert.equal(headers.location, `https://www.example.com:${httpsPort()}/a?b`);
    assert.match(
      (await curl('www.example.com', '-D', '-', '-o', '/dev/null')).stdout,
      /strict-transport-security: max-age=3600/i,
    );
    await paas.paas('https:redirect off -a site');
  });

  it('visitors of hosts and tokens that nobody knows cause no order, and nothing that grows', async () => {
    const routes = join(paas.environment.PAAS_RUN!, 'control', 'routes.json');
    const [before, ordered, requests] = [statSync(routes).size, authority.ordered.length, authority.requests];
    const rows = () => paas.paas('certs -a site --json');
    const certificates = await rows();
    for (let i = 0; i < STRANGERS; i += 50)
      await Promise.all(
        Array.from({ length: 50 }, async (_, j) => {
          const path = j % 2 === 0 ? `/.well-known/acme-challenge/token${i + j}` : '/';
          const answer = await get(paas.httpPort, { path, headers: { host: `host${i + j}.example.org` } });
          assert.equal(answer.status, 404);
        }),
      );
    assert.deepEqual(
      [statSync(routes).size, authority.ordered.length, authority.requests],
      [before, ordered, requests],
    );
    assert.equal(await rows(), certificates);
  });

  it('keys are in files that user paas alone can read, and in no output', async () => {
    const key = /-----BEGIN PRIVATE KEY-----\\n([^\\]+)/.exec(
      readFileSync(join(paas.environment.PAAS_RUN!, 'control', 'routes.json'), 'utf8'),
    )![1]!;
    for (const command of [
      'certs -a site --json',
      'certs:info -a site',
      'events --json',
      'logs -n 500 -a site',
      'apps:info -a site --json',
    ])
      assert.ok(!(await paas.paas(command)).includes(key), command);
    assert.ok(!paas.log.includes(key));
    for (const file of [
      join('run', 'control', 'routes.json'),
      join('data', 'control', 'paas.db'),
      join('data', 'control', 'paas.db-wal'),
    ])
      if (existsSync(join(paas.folder, file))) assert.ok(isPrivate(join(paas.folder, file)), file);
  });

  it('a restart of everything keeps certificates, and orders none', async () => {
    const ordered = authority.ordered.length;
    await paas.kill('control');
    assert.equal((await curl('www.example.com', '-o', '/dev/null')).status, 0, 'without control');
    await paas.stopMain();
    await paas.startMain();
    assert.equal((await curl('www.example.com', '-o', '/dev/null')).status, 0);
    assert.equal(authority.ordered.length, ordered);
  });
});

/** The file, or a folder above it, is closed to others. */
function isPrivate(file: string): boolean {
  const folders = file
    .split('/')
    .map((_, i, parts) => parts.slice(0, i + 1).join('/'))
    .slice(1);
  return folders.some((path) => (statSync(path).mode & 0o007) === 0);
}
