import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { after, before, describe, it } from 'mocha';
import { LinuxKernel } from '../../runtime/containers/linux-kernel.ts';
import { until } from '../fixtures/until.ts';
import { type Answer, get, Instance, whyNot } from './instance.ts';

describe('how visitors are led to apps, and kept from them', function () {
  this.timeout(120_000);
  let paas: Instance;
  /** Below those that the system gives to anybody; another for each test run. */
  const port = 10_000 + (process.pid % 900) * 10 + 5;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start();
    const folder = await paas.checkout('node-plain', 'site');
    paas.write(folder, 'server.js', SERVER);
    paas.write(folder, 'db.js', DATABASE);
    makeCertificate(folder);
    paas.write(folder, 'Procfile', 'web: node server.js\ndb: node db.js\n');
    await paas.commit(folder, 'echo');
    await paas.deploy(folder);
    paas.write(folder, 'name.txt', 'backend');
    await paas.commit(folder, 'backend');
    await paas.git(folder, 'remote', 'set-url', 'paas', `ssh://paas@127.0.0.1:${paas.sshPort}/backend`);
    await paas.deploy(folder);
  });

  after(async () => {
    await paas?.remove();
  });

  /** Asks under any host name. */
  function visit(host: string, path = '/', headers: Record<string, string> = {}): Promise<Answer> {
    return get(paas.httpPort, { path, headers: { host, ...headers } });
  }

  it('domains: exact, wildcard, in Unicode, and a part of another one, stripped', async () => {
    await paas.paas('domains:add example.com -a site');
    await paas.paas('domains:add *.example.com -a site');
    await paas.paas('domains:add bücher.example -a site');
    await paas.paas('domains:add example.com/api --strip -a backend');
    for (const host of ['example.com', 'EXAMPLE.com.', 'a.b.example.com', 'xn--bcher-kva.example']) {
      assert.equal((await visit(host, '/x')).body, 'site web.1 /x -', host);
    }
    assert.equal((await visit('example.com', '/api/v1?q')).body, 'backend web.1 /v1?q /api');
    assert.equal((await visit('example.com', '/apis')).body, 'site web.1 /apis -');
    assert.equal((await visit('nobody.example')).status, 404);
    const taken = await paas.ssh('domains:add example.com -a backend');
    assert.equal(taken.status, 5);
    assert.match(taken.stderr, /belongs to another app/);
    assert.match(await paas.paas('domains -a site'), /^xn--bcher-kva\.example \(bücher\.example\) +added$/m);
  });

  it('redirects keep the path', async () => {
    await paas.paas('redirects:add www.example.com example.com -a site');
    const { status, headers } = await visit('www.example.com', '/a?b=c');
    assert.equal(status, 301);
    assert.equal(headers.location, 'http://example.com/a?b=c');
    await paas.waitForLog('site', /host=www\.example\.com .* status=301/, { flags: '-d router' });
  });

  it('http-auth, access and rate-limit keep visitors out before the app hears of them', async () => {
    const password = (await paas.paas('http-auth:add ada -a site')).trim();
    const right = { authorization: `Basic ${Buffer.from(`ada:${password}`).toString('base64')}` };
    const { status, headers } = await paas.get('site');
    assert.equal(status, 401);
    assert.match(String(headers['www-authenticate']), /^Basic /);
    assert.equal((await paas.get('site', '/', { authorization: 'Basic YWRhOng=' })).status, 401);
    assert.equal((await paas.get('site', '/', right)).status, 200);
    assert.equal((await paas.get('backend')).status, 200);
    await paas.paas('access:allow 192.0.2.0/24 -a site');
    assert.equal((await paas.get('site', '/', right)).status, 403);
    await paas.paas('access:allow 127.0.0.1 -a site');
    assert.equal((await paas.get('site', '/', right)).status, 200);
    await paas.paas('rate-limit:set 2/h -a site');
    const statuses = [
      await paas.get('site', '/', right),
      await paas.get('site', '/', right),
      await paas.get('site', '/', right),
    ];
    assert.deepEqual(
      statuses.map((answer) => answer.status),
      [200, 200, 429],
    );
    for (const command of ['rate-limit:clear', 'access:remove --all', 'http-auth:remove ada']) {
      await paas.paas(`${command} -a site`);
    }
    assert.equal((await paas.get('site')).status, 200);
  });

  it('an error page of its own stands in for the router’s', async () => {
    await paas.ssh('error-pages:set 503 - -a backend', { stdin: '<h1>Gleich zurück</h1>' });
    await paas.paas('scale web=0 -a backend');
    const { status, body } = await paas.get('backend');
    assert.equal(status, 503);
    assert.equal(body, '<h1>Gleich zurück</h1>');
    await paas.paas('scale web=1 -a backend');
    assert.equal((await paas.get('backend')).status, 200);
  });

  it('a sticky visitor stays with a dyno', async () => {
    await paas.paas('scale web=3 -a site');
    await paas.paas('ps:sticky on -a site');
    const first = await paas.get('site');
    const cookie = String(first.headers['set-cookie']).split(';')[0]!;
    assert.match(cookie, /^paas-dyno-[0-9a-f]{8}=web\.[123]$/);
    for (let i = 0; i < 6; i++) assert.equal((await paas.get('site', '/', { cookie })).body, first.body);
    await paas.paas('scale web=1 -a site');
    assert.equal((await paas.get('site', '/', { cookie })).body, 'site web.1 / -');
  });

  it('TCP ports lead to dynos of any type, to each in turn, through a deploy without a gap', async () => {
    await paas.paas(`ports:add tcp:${port}:db:5432 -a site`);
    await paas.paas('scale db=1 -a site');
    assert.match(await hears(port), /^db\.1 v1 from (?!172)/);
    await paas.paas('scale db=2 -a site');
    const names = new Set<string>();
    for (let i = 0; i < 4; i++) names.add((await hears(port)).slice(0, 4));
    assert.deepEqual([...names].sort(), ['db.1', 'db.2']);
    const heard: string[] = [];
    let over = false;
    const asking = (async () => {
      while (!over) heard.push(await hears(port));
    })();
    await paas.paas('config:set X=1 -a site');
    over = true;
    await asking;
    assert.ok(heard.length > 10, `${heard.length}`);
    assert.deepEqual(
      heard.filter((text) => !/^db\.[12] v[12] /.test(text)),
      [],
    );
    assert.match(await hears(port), / v2 /);
  });

  it('UDP ports, too', async () => {
    await paas.paas(`ports:add udp:${port}:db:53 -a site`);
    assert.match(await asksByUdp(port), /^db\.[12] hears hi$/);
  });

  it('an HTTP port is the router’s, for one app alone', async () => {
    await paas.paas(`ports:add http:${port + 2}:web:5001 -a site`);
    const there = (path: string) => get(port + 2, { path, headers: { host: 'anything.example' } });
    assert.equal((await there('/x')).body, 'admin of web.1: /x');
    await paas.waitForLog('site', /host=anything\.example .* dyno=web\.1 .* status=200/, {
      flags: '-d router',
    });
    const asked: Promise<string>[] = [];
    const timer = setInterval(() => asked.push(there('/y').then(({ body }) => body, String)), 5);
    await paas.paas('ps:restart web -a site');
    const old = paas.pid('router');
    process.kill(old, 'SIGTERM');
    while (existsSync(`/proc/${old}`)) await new Promise((resolve) => setTimeout(resolve, 50));
    clearInterval(timer);
    const bodies = await Promise.all(asked);
    assert.ok(bodies.length > 10, `${bodies.length}`);
    assert.deepEqual(
      bodies.filter((body) => body !== 'admin of web.1: /y'),
      [],
    );
    // What a router is killed with is lost, what comes then waits.
    await paas.kill('router');
    const waiting = Array.from({ length: 20 }, () => there('/z').then(({ body }) => body, String));
    assert.deepEqual(new Set(await Promise.all(waiting)), new Set(['admin of web.1: /z']));
    await paas.paas('checks:boot-timeout 2s -a site');
    await paas.paas(`ports:add tcp:${port + 3}:web:5009 -a site`);
    const silent = await paas.ssh('ps:restart web -a site');
    assert.match(
      silent.stderr,
      /web\.1 did not listen on port 5009 within 2 seconds, to which `ports` leads\./,
    );
    await paas.paas(`ports:remove tcp:${port + 3} -a site`);
    await paas.paas('checks:boot-timeout default -a site');
    const low = await paas.ssh('ports:add http:81:web:5001 -a site');
    assert.match(low.stderr, /no right to listen on port 81/);
  });

  it('TLS can go through to an app unread, by its name', async () => {
    await paas.paas('domains:add secure.example.com --passthrough 5002 -a site');
    assert.equal(await tlsHears(paas.endpoints.https!, 'secure.example.com'), 'the app: web.1 itself');
  });

  it('a port is one app’s, none of the platform’s, and no other program’s', async () => {
    for (const [mapping, status, message] of [
      [`tcp:${port}:web:5000`, 5, /Another app has the port/],
      [`tcp:${paas.httpPort}:web:5000`, 5, /the platform's own \(PAAS_HTTP\)/],
      [`tcp:${paas.sshPort}:web:5000`, 5, /the platform's own \(PAAS_SSH\)/],
      [`tcp:${port + 1}:nope:5000`, 2, /no process type "nope"\. The app has: web/],
      ['tcp:0:web:1', 2, /is no port/],
      ['sctp:1:web:1', 2, /is no port/],
    ] as const) {
      const outcome = await paas.ssh(`ports:add ${mapping} -a backend`);
      assert.equal(outcome.status, status, outcome.stderr);
      assert.match(outcome.stderr, message);
    }
    const server = createServer().listen(port + 1, '0.0.0.0');
    const taken = await paas.ssh(`ports:add tcp:${port + 1}:web:5000 -a backend`);
    server.close();
    assert.equal(taken.status, 5);
    assert.match(taken.stderr, /port is already allocated/);
    assert.deepEqual(JSON.parse(await paas.paas('ports -a backend --json')), []);
  });

  it('ports lead to their apps again after a reboot', async () => {
    await paas.stopMain('SIGKILL');
    // Nothing in the kernel is left, and nothing in /run.
    const { PAAS_RUN: run, PAAS_SUBNET: subnet } = paas.environment as Record<string, string>;
    await LinuxKernel.remove({ run: run!, subnet: subnet! });
    rmSync(run!, { recursive: true });
    assert.equal(await hears(port), '');
    await paas.startMain();
    await until(async () => /^db\.[12] v2 from (?!172)/.test(await hears(port)));
    assert.match(await asksByUdp(port), /^db\.[12] hears hi$/);
    assert.equal((await get(port + 2, { path: '/z', headers: {} })).body, 'admin of web.1: /z');
    assert.deepEqual(
      JSON.parse(await paas.paas('ports -a site --json')).map(({ problem }: { problem: unknown }) => problem),
      [null, null, null],
    );
  });

  it('ports outlive kill -9 of every process, and go with their app', async () => {
    for (const name of ['control', 'router', 'runtime'] as const) await paas.kill(name);
    assert.match(await hears(port), /^db\./);
    while ((await paas.ssh('version')).status !== 0) await new Promise((resolve) => setTimeout(resolve, 100));
    assert.match(await hears(port), /^db\./);
    await paas.paas('scale db=0 -a site');
    assert.equal(await hears(port), '');
    await paas.paas('scale db=1 -a site');
    assert.match(await hears(port), /^db\.1/);
    await paas.paas(`ports:remove udp:${port} -a site`);
    assert.match(await paas.paas('ports -a site'), new RegExp(`^tcp +${port} +db +5432$`, 'm'));
    assert.equal((await get(port + 2, { path: '/z', headers: {} })).body, 'admin of web.1: /z');
    await paas.paas(`ports:remove http:${port + 2} -a site`);
    await assert.rejects(get(port + 2, { path: '/', headers: {} }), { code: 'ECONNREFUSED' });
    await paas.paas(`ports:remove tcp:${port}:db:5432 -a site`);
    createServer().listen(port, '0.0.0.0').close();
  });

  it('all of it outlives kill -9 of control and of the router', async () => {
    await paas.paas('access:allow 192.0.2.1 -a backend');
    await paas.kill('control');
    await paas.kill('router');
    const answers = async () => [
      (await visit('www.example.com')).status,
      (await visit('x.example.com')).status,
      (await visit('example.com', '/api')).status,
    ];
    assert.deepEqual(await answers(), [301, 200, 403]);
    while ((await paas.ssh('version')).status !== 0) await new Promise((resolve) => setTimeout(resolve, 100));
    await paas.paas('access:remove --all -a backend');
    assert.deepEqual(await answers(), [301, 200, 200]);
  });
});

/** `key.pem` and `cert.pem`, of nobody that anybody trusts. */
function makeCertificate(folder: string): void {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', 'key.pem'];
  const args = ['req', '-x509', ...key, '-subj', '/CN=the app', '-out', 'cert.pem'];
  execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
}

/** What a server says to whoever connects; '': nothing. */
function hears(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host: '127.0.0.1', port, timeout: 5000 });
    socket.on('data', (chunk) => {
      text += chunk;
    });
    for (const event of ['end', 'error', 'timeout']) {
      socket.once(event, () => {
        socket.destroy();
        resolve(text);
      });
    }
  });
}

/** Who shows a certificate for this name, and what they say. */
function tlsHears(address: string, servername: string): Promise<string> {
  const [host, port] = address.split(':');
  return new Promise((resolve, reject) => {
    const options = { host, port: Number(port), servername, rejectUnauthorized: false, timeout: 5000 };
    const socket = connectTls(options, () => {
      const { subject } = socket.getPeerCertificate();
      socket.once('data', (bytes) => {
        socket.destroy();
        resolve(`${subject.CN}: ${bytes}`);
      });
    });
    socket.on('error', reject);
  });
}

async function asksByUdp(port: number): Promise<string> {
  const socket = createSocket('udp4');
  const answer = new Promise<string>((resolve) => socket.once('message', (bytes) => resolve(String(bytes))));
  const timer = setInterval(() => socket.send('hi', port, '127.0.0.1'), 50);
  const text = await Promise.race([answer, new Promise<string>((resolve) => setTimeout(resolve, 5000, ''))]);
  clearInterval(timer);
  socket.close();
  return text;
}

/** Says who it is and from whom it was asked, by TCP and UDP; takes its time to listen. */
const DATABASE = `
const udp = require('node:dgram').createSocket('udp4');
udp.on('message', (bytes, { address, port }) => udp.send(process.env.DYNO + ' hears ' + bytes, port, address));
udp.bind(53);
setTimeout(() => {
  require('node:net').createServer((socket) => {
    socket.on('error', () => {});
    socket.end(process.env.DYNO + ' v' + (process.env.X ? 2 : 1) + ' from ' + socket.remoteAddress);
  }).listen(5432);
}, 500);
`;

/** Says which app and dyno it is, and what it sees; takes its time to listen on a second port. */
const SERVER = `
const { existsSync, readFileSync } = require('node:fs');
const name = existsSync('name.txt') ? readFileSync('name.txt', 'utf8') : 'site';
require('node:http').createServer((request, response) => {
  response.end([name, process.env.DYNO, request.url, request.headers['x-forwarded-prefix'] ?? '-'].join(' '));
}).listen(process.env.PORT);
if (process.env.DYNO.startsWith('web.')) {
  const admin = require('node:http').createServer((request, response) => {
    response.end('admin of ' + process.env.DYNO + ': ' + request.url);
  });
  setTimeout(() => admin.listen(5001), 500);
  const [key, cert] = ['key.pem', 'cert.pem'].map((file) => readFileSync(file));
  require('node:tls').createServer({ key, cert }, (socket) => {
    socket.on('error', () => {});
    socket.end(process.env.DYNO + ' itself');
  }).listen(5002);
}
`;
