import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, it } from 'mocha';
import { parseConfig } from '../../../server/config.ts';
import { precompileCommand, serviceCommand } from '../../../server/host/services.ts';

const around = {
  program: '/opt/paas',
  node: '/opt/paas/node',
  base: '/var/cache/paas/base',
  adminKeys: 'ssh-ed25519 AAAA me',
  pip: { PIP_INDEX_URL: 'https://pypi.example/simple' },
  environment: {
    PAAS_DOMAIN: 'old',
    AWS_SECRET_ACCESS_KEY: 'secret',
    npm_config_x: 'y',
    HTTPS_PROXY: 'http://p',
  },
};
const config = parseConfig({
  PAAS_HTTP: '0.0.0.0:80',
  PAAS_SSH: '127.0.0.1:2222',
  PAAS_DOMAIN: 'example.com',
});

describe('serviceCommand()', () => {
  it('runs control as user paas, without capabilities and new privileges', () => {
    const { argv } = serviceCommand('control', config, around);
    assert.deepEqual(argv.slice(0, argv.indexOf('--')), [
      ...['setpriv', '--reuid', 'paas', '--regid', 'paas', '--init-groups', '--no-new-privs'],
      ...['--bounding-set=-all', '--inh-caps=-all', '--ambient-caps=-all', '--pdeathsig', 'TERM'],
    ]);
    assert.equal(argv.at(-1), '/opt/paas/server/control.ts');
  });

  it('lets control listen below 1024 when it has to, and only then; the router gets its socket from main', () => {
    const low = parseConfig({ PAAS_SSH: '0.0.0.0:22' });
    assert.ok(serviceCommand('control', low, around).argv.includes('--ambient-caps=-all,+net_bind_service'));
    assert.ok(serviceCommand('control', config, around).argv.includes('--ambient-caps=-all'));
    const router = serviceCommand('router', config, around);
    assert.ok(router.argv.includes('--ambient-caps=-all'));
    assert.deepEqual([router.env.PAAS_HTTP_FD, router.env.PAAS_HTTPS_FD], ['3', '4']);
    assert.equal(router.env.PAAS_HTTPS, '0.0.0.0:443');
    const off = serviceCommand('router', parseConfig({ PAAS_HTTPS: 'off' }), around);
    assert.deepEqual([off.env.PAAS_HTTPS, off.env.PAAS_HTTPS_FD], ['off', undefined]);
  });

  it('leaves the runtime root', () => {
    const { argv, env } = serviceCommand('runtime', config, around);
    assert.ok(!argv.includes('--reuid'));
    assert.equal(env.PAAS_BASE, '/var/cache/paas/base');
  });

  it('gives Redis a unix socket and no TCP port', () => {
    const { argv } = serviceCommand('redis', config, around);
    assert.equal(argv[argv.indexOf('--port') + 1], '0');
    assert.equal(argv[argv.indexOf('--unixsocket') + 1], '/run/paas/control/redis.sock');
    assert.equal(argv[argv.indexOf('--reuid') + 1], 'paas');
  });

  it('has Redis keep nothing on disk, and nothing where damage would outlast a boot', () => {
    const { argv } = serviceCommand('redis', config, around);
    assert.equal(argv[argv.indexOf('--appendonly') + 1], 'no');
    assert.equal(argv[argv.indexOf('--save') + 1], '');
    assert.equal(argv[argv.indexOf('--dir') + 1], '/run/paas/control');
  });

  it('passes settings and proxies on, nothing else of the environment', () => {
    const { env } = serviceCommand('control', config, around);
    assert.equal(env.PAAS_DOMAIN, 'example.com');
    assert.equal(env.PAAS_HTTP, '0.0.0.0:80');
    assert.equal(env.HTTPS_PROXY, 'http://p');
    assert.equal(env.PAAS_ADMIN_PUBLIC_KEY, 'ssh-ed25519 AAAA me');
    assert.equal(env.PIP_INDEX_URL, 'https://pypi.example/simple');
    assert.ok(!('AWS_SECRET_ACCESS_KEY' in env) && !('npm_config_x' in env));
    const router = serviceCommand('router', config, around).env;
    assert.ok(!('PAAS_ADMIN_PUBLIC_KEY' in router) && !('PIP_INDEX_URL' in router));
  });
});

describe('precompileCommand()', () => {
  it('compiles with flags for which V8 takes it for router and control', () => {
    const [compiled, ...used] = [
      precompileCommand(config, around),
      serviceCommand('router', config, around),
      serviceCommand('control', config, around),
    ].map(({ argv }) => {
      const flags = argv.slice(argv.indexOf(around.node) + 1, -1);
      const print = 'process.stdout.write(String(v8.cachedDataVersionTag()))';
      return execFileSync(process.execPath, [...flags, '-e', print], { encoding: 'utf8' });
    });
    assert.deepEqual(used, [compiled, compiled]);
  });
});
