import assert from 'node:assert/strict';
import { request } from 'node:http';
import { after, before, describe, it } from 'mocha';
import { Instance, whyNot } from './instance.ts';

describe('apps of every kind', function () {
  this.timeout(240_000);
  let paas: Instance;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start();
  });

  after(async () => {
    await paas?.remove();
  });

  it('Express with a lockfile: a change of code alone installs nothing', async () => {
    const folder = await paas.checkout('node-express', 'express');
    assert.match(await paas.deploy(folder), /Installing dependencies with npm ci/);
    assert.match((await paas.get('express')).body, /version 1/);
    paas.write(folder, 'version.txt', 'version 2');
    await paas.commit(folder, 'second');
    assert.match(await paas.deploy(folder), /Cached: package-lock\.json has not changed/);
    assert.match((await paas.get('express')).body, /version 2/);
  });

  it("a dyno's environment is what was promised, and nothing of the build or the host", async () => {
    await paas.paas('config:set OWN=value -a express');
    const environment = JSON.parse((await paas.get('express', '/environment')).body);
    const expected = [
      'DYNO',
      'HOME',
      'LANG',
      'NODE_ENV',
      'OWN',
      'PAAS_RELEASE_VERSION',
      'PATH',
      'PORT',
      'PWD',
      'SOURCE_VERSION',
    ];
    const shells = ['SHLVL', '_', 'HOSTNAME', 'OLDPWD'];
    assert.deepEqual(
      Object.keys(environment)
        .filter((name) => !shells.includes(name))
        .sort(),
      expected,
    );
    assert.equal(environment.DYNO, 'web.1');
    assert.equal(environment.PAAS_RELEASE_VERSION, 'v3');
  });

  it('a build script runs with devDependencies, which are gone afterwards', async () => {
    await paas.deploy(await paas.checkout('node-build', 'build'));
    assert.match((await paas.get('build')).body, /</);
    const modules = JSON.parse((await paas.get('build', '/modules')).body);
    assert.deepEqual(modules, ['ms']);
  });

  it('Python with the standard library alone', async () => {
    const said = await paas.deploy(await paas.checkout('python-stdlib', 'python'));
    assert.match(said, /Python app detected/);
    assert.equal((await paas.get('python')).status, 200);
  });

  it('Python with a vendored wheel, without an index', async () => {
    await paas.deploy(await paas.checkout('python-wheel', 'wheel'));
    assert.equal((await paas.get('wheel')).status, 200);
  });

  it('a static site: types, caching, its own 404 page', async () => {
    await paas.deploy(await paas.checkout('static-site', 'static'));
    const page = await paas.get('static');
    assert.match(String(page.headers['content-type']), /text\/html/);
    const style = await paas.get('static', '/assets/style.css');
    assert.match(String(style.headers['content-type']), /text\/css/);
    const again = await paas.get('static', '/assets/style.css', {
      'if-none-match': String(style.headers.etag),
    });
    assert.equal(again.status, 304);
    assert.equal((await paas.get('static', '/nowhere')).status, 404);
    assert.notEqual((await paas.get('static', '/../../etc/passwd')).status, 200);
  });

  it('a plain Procfile, with a worker that runs only when scaled', async () => {
    await paas.deploy(await paas.checkout('procfile-perl', 'perl'));
    assert.equal((await paas.get('perl')).status, 200);
    assert.doesNotMatch(await paas.paas('ps -a perl'), /worker\.1/);
    await paas.paas('ps:scale worker=1 -a perl');
    await paas.waitForLog('perl', /app\[worker\.1\]: bash .* works/);
  });

  it('WebSockets pass through', async () => {
    await paas.deploy(await paas.checkout('node-websocket', 'socket'));
    const echoed = await echo(paas.httpPort, 'socket.localhost', 'hello');
    assert.equal(echoed, 'hello');
  });

  it('an app that ends by itself is started again, with the reason in ps', async () => {
    const folder = await paas.checkout('node-plain', 'crash');
    paas.write(
      folder,
      'server.js',
      `require('http').createServer((q, s) => q.url === '/end' ? process.exit(3) : s.end('fine')).listen(process.env.PORT);`,
    );
    await paas.commit(folder, 'crashes');
    await paas.deploy(folder);
    await paas.get('crash', '/end').catch(() => {});
    await paas.waitForLog('crash', /Process exited with status 3/, { flags: '-s paas -d web.1' });
    const answer = await paas.get('crash');
    assert.equal(answer.body, 'fine');
  });

  it('scaled to zero the router says H14, and scaled up again it answers', async () => {
    await paas.paas('ps:scale web=0 -a static');
    assert.equal((await paas.get('static')).status, 503);
    await paas.waitForLog('static', /code=H14/, { flags: '-d router' });
    await paas.paas('ps:scale web=1 -a static');
    assert.equal((await paas.get('static')).status, 200);
  });

  it('own domains lead to the app, and to no other', async () => {
    await paas.paas('domains:add www.example.com -a static');
    const answer = await paas.get('static', '/', { host: 'WWW.example.com.' });
    assert.equal(answer.status, 200);
    const taken = await paas.ssh('domains:add www.example.com -a perl');
    assert.notEqual(taken.status, 0);
    await paas.paas('domains:remove www.example.com -a static');
    assert.equal((await paas.get('static', '/', { host: 'www.example.com' })).status, 404);
  });
});

/** Sends one text message over a WebSocket (RFC 6455, with a mask of zeros) and resolves with the answer's payload. */
function echo(port: number, host: string, text: string): Promise<string> {
  const headers = {
    Host: host,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
  };
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port, path: '/', headers });
    asked.on('response', (response) => reject(new Error(`status ${response.statusCode}`)));
    asked.on('error', reject);
    asked.on('upgrade', (_response, socket) => {
      socket.on('data', (frame: Buffer) => {
        resolve(frame.subarray(2).toString());
        socket.destroy();
      });
      socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]));
    });
    asked.end();
  });
}
