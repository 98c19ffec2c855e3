import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { BoundSocket } from 'node:net';
import { getPriority } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import { Instance, run, whyNot } from '../e2e/instance.ts';

const MAIN = join(import.meta.dirname, '..', '..', 'server', 'main.ts');

describe('main', function () {
  this.timeout(120_000);
  let instance: Instance;

  before(async function () {
    if (whyNot()) this.skip();
    instance = await Instance.start();
  });
  after(() => instance?.remove());

  const main = (...words: string[]) =>
    run(process.execPath, [MAIN, ...words], { env: { ...environmentOf(), ...instance.environment } });

  it('runs all but the runtime as user paas, without capabilities', () => {
    for (const name of ['redis', 'router', 'control'] as const) {
      const status = readFileSync(`/proc/${instance.pid(name)}/status`, 'utf8');
      assert.notEqual(field(status, 'Uid'), '0', name);
      for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
        assert.match(field(status, set), /^0+$/, `${name} ${set}`);
      }
      assert.equal(field(status, 'NoNewPrivs'), '1', name);
    }
  });

  it('gives the runtime processors before apps, and no other process', () => {
    const niceOf = (pid: number) => {
      const group = `/proc/${pid}/autogroup`;
      return [
        getPriority(pid),
        existsSync(group) ? Number(/ nice (-?\d+)$/m.exec(readFileSync(group, 'utf8'))![1]) : 0,
      ];
    };
    const hasGroups = existsSync('/proc/self/autogroup');
    assert.deepEqual(niceOf(instance.pid('runtime')), [-10, hasGroups ? -10 : 0]);
    for (const name of ['redis', 'router', 'control'] as const) {
      assert.deepEqual(niceOf(instance.pid(name)), [0, 0], name);
    }
  });

  it('refuses a second main for the same folders', async () => {
    const { status, stderr } = await main();
    assert.equal(status, 1);
    assert.match(stderr, /runs already\. Stop it with/);
  });

  it('refuses to begin with a subnet that has addresses of a network of the host', async () => {
    const lan =
      'ip link add lan0 type bridge && ip addr add 172.30.7.1/24 dev lan0 && ip link set lan0 up && exec "$@"';
    const folder = join(instance.folder, 'beginning');
    const { status, stdout, stderr } = await run(
      'unshare',
      ['--net', 'sh', '-c', lan, 'sh', process.execPath, MAIN],
      {
        env: {
          ...{ ...environmentOf(), ...instance.environment, PAAS_SUBNET: '172.30.0.0/16' },
          ...{ PAAS_DATA: join(folder, 'data'), PAAS_RUN: join(folder, 'run') },
        },
      },
    );
    assert.equal(status, 1, stdout + stderr);
    assert.match(stdout + stderr, /172\.30\.7\.0\/24 \(lan0\).* e\.g\. PAAS_SUBNET=172\.31\.0\.0\/16/);
  });

  it('starts each process again when it dies, on the same ports', async () => {
    const { endpoints } = instance;
    for (const name of ['redis', 'runtime', 'router', 'control'] as const) {
      const before = instance.pid(name);
      await instance.kill(name);
      await until(() => instance.pid(name) !== before);
    }
    await until(async () => (await instance.ssh('apps')).status === 0);
    await until(async () => (await instance.get('paas')).status < 500);
    assert.deepEqual(instance.endpoints, endpoints);
  });

  it('takes its children with it when it is killed, and starts again at once', async () => {
    const pids = (['redis', 'runtime', 'router', 'control'] as const).map((name) => instance.pid(name));
    await instance.stopMain('SIGKILL');
    await instance.startMain();
    await until(() => pids.every((pid) => !existsSync(`/proc/${pid}`)));
    assert.equal((await instance.ssh('apps')).status, 0);
  });

  it('takes the socket that systemd holds: whoever connects while it starts anew waits', async () => {
    await instance.stopMain();
    const socket = new BoundSocket({ host: '127.0.0.1', port: 0 });
    const { port } = socket.address() as { port: number };
    // It listens from now on, though nobody accepts.
    const script = 'require("net").createServer().listen({ fd: 3 }, () => process.exit())';
    const listened = spawnSync(process.execPath, ['-e', script], {
      stdio: ['ignore', 'ignore', 'inherit', socket.fd()],
    });
    assert.equal(listened.status, 0);
    instance.environment.PAAS_HTTP = `127.0.0.1:${port}`;
    await instance.startMain({ passes: socket.fd() });
    const get = () => fetch(`http://127.0.0.1:${port}/`, { headers: { host: 'paas.localhost' } });
    assert.ok((await get()).status < 500);
    await instance.stopMain();
    const early = get();
    await instance.startMain({ passes: socket.fd() });
    assert.ok((await early).status < 500);
    socket.close();
  });

  it('stop ends everything; stop --apps leaves nothing in the kernel', async () => {
    const stopped = await main('stop');
    assert.equal(stopped.status, 0, stopped.stderr);
    assert.match(stopped.stderr, /stopped; the apps go on/);
    assert.ok(!existsSync(join(instance.environment.PAAS_RUN!, 'endpoints.json')));
    const all = await main('stop', '--apps');
    assert.equal(all.status, 0, all.stderr);
    const { folder } = instance;
    await until(() => processesWith(folder).length === 0);
    assert.ok(!readFileSync('/proc/mounts', 'utf8').includes(folder));
    const { createHash } = await import('node:crypto');
    const tag = createHash('sha256').update(instance.environment.PAAS_RUN!).digest('hex').slice(0, 6);
    const tables = await run('nft', ['list', 'tables']);
    assert.ok(!tables.stdout.includes(tag), tables.stdout);
    const groups = ['', 'memory', 'cpu', 'pids', 'freezer'].map((name) => join('/sys/fs/cgroup', name));
    for (const group of groups.filter(existsSync)) {
      assert.deepEqual(
        readdirSync(group).filter((name) => name.includes(tag)),
        [],
      );
    }
  });
});

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 30_000; waited += 100) {
    try {
      if (await condition()) return;
    } catch {
      // Not yet there.
    }
    await sleep(100);
  }
  throw new Error('not within 30 s');
}

function environmentOf(): Record<string, string> {
  return process.env as Record<string, string>;
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
}

/** Processes whose command line or environment names the folder. */
function processesWith(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        const of = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'latin1');
        return of('cmdline').includes(folder) || of('environ').includes(folder);
      } catch {
        return false;
      }
    });
}
