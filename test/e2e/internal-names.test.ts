import assert from 'node:assert/strict';
import { join } from 'node:path';
import Docker from 'dockerode';
import { after, before, describe, it } from 'mocha';
import { Instance } from './instance.ts';

describe('an app’s own network', function () {
  this.timeout(240_000);
  let paas: Instance;

  before(async () => {
    paas = await Instance.start();
    await paas.deploy(await paas.checkout('node-worker', 'shop'));
    await paas.deploy(await paas.checkout('node-plain', 'thief'));
  });
  after(() => paas?.remove());

  /** What a one-off dyno of the app hears from a web dyno at this host. */
  async function ask(app: string, host: string): Promise<string> {
    const script = `timeout 3 bash -c "exec 3<>/dev/tcp/${host}/5000 && printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3 && tail -1 <&3" 2>/dev/null || echo nothing`;
    return (await paas.paas(`run -a ${app} -- ${script}`)).trim();
  }

  async function addresses(app: string, name: string): Promise<string[]> {
    const found = await paas.paas(`run -a ${app} -- getent ahostsv4 ${name} | cut -d' ' -f1 | sort -u`);
    return found.trim() === '' ? [] : found.trim().split('\n');
  }

  async function networks(): Promise<string[]> {
    const docker = new Docker({ socketPath: join(paas.environment.PAAS_RUN!, 'docker.sock') });
    return (await docker.listNetworks()).map(({ Name }) => Name);
  }

  it('lets its dynos reach a type by its name, and no other app’s dynos', async () => {
    assert.equal(await ask('shop', 'web.shop.internal'), 'web.1');
    const [address] = await addresses('shop', 'web.shop.internal');
    assert.match(address!, /^172\./);
    assert.deepEqual(await addresses('thief', 'web.shop.internal'), []);
    assert.equal(await ask('thief', address!), 'nothing');
  });

  it('has all dynos of a type under its name, also after a release', async () => {
    await paas.say('ps:scale web=2 worker=1 -a shop');
    assert.equal((await addresses('shop', 'web.shop.internal')).length, 2);
    assert.equal((await addresses('shop', 'worker.shop.internal')).length, 1);
    await paas.say('config:set A=1 -a shop');
    assert.match(await ask('shop', 'web.shop.internal'), /^web\.[12]$/);
  });

  it('goes with the app', async () => {
    assert.ok((await networks()).includes('app-shop'));
    await paas.paas('apps:destroy shop --confirm shop');
    assert.ok(!(await networks()).includes('app-shop'));
    await paas.deploy(await paas.checkout('node-worker', 'shop'));
    assert.equal(await ask('shop', 'web.shop.internal'), 'web.1');
  });
});
