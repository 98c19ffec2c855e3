import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseCreateRequest } from '../../../runtime/containers/create-request.ts';
import type { ImageConfig } from '../../../runtime/images/image.ts';

const IMAGE: ImageConfig = {
  Env: ['PATH=/bin', 'LANG=C'],
  Cmd: ['serve'],
  Entrypoint: ['/entry'],
  WorkingDir: '/app',
  User: 'app',
  Labels: { a: '1' },
  ExposedPorts: {},
};

describe('parseCreateRequest()', () => {
  it('parseCreateRequest() lays the request over the image', () => {
    const { process, host } = parseCreateRequest({ Env: ['LANG=de', 'X=1'], Labels: { b: '2' } }, IMAGE);
    assert.deepEqual(process.Env, ['PATH=/bin', 'LANG=de', 'X=1']);
    assert.deepEqual([process.Entrypoint, process.Cmd], [['/entry'], ['serve']]);
    assert.deepEqual(process.Labels, { a: '1', b: '2' });
    assert.equal(host.PidsLimit, 512);
    assert.deepEqual(host.CapAdd, []);
  });

  it("parseCreateRequest() drops the image's command with its entrypoint", () => {
    const { process } = parseCreateRequest({ Entrypoint: ['sh'] }, IMAGE);
    assert.deepEqual([process.Entrypoint, process.Cmd], [['sh'], []]);
    const own = parseCreateRequest({ Entrypoint: [''], Cmd: ['ls'] }, IMAGE).process;
    assert.deepEqual([own.Entrypoint, own.Cmd], [[], ['ls']]);
  });

  it('parseCreateRequest() takes a host name with an underscore, as the kernel does', () => {
    assert.equal(parseCreateRequest({ Hostname: 'my_host.x-1' }, IMAGE).process.Hostname, 'my_host.x-1');
  });

  it('parseCreateRequest() writes capabilities as the kernel does', () => {
    const { host } = parseCreateRequest({ HostConfig: { CapAdd: ['chown', 'CAP_KILL'] } }, IMAGE);
    assert.deepEqual(host.CapAdd, ['CAP_CHOWN', 'CAP_KILL']);
  });

  it('parseCreateRequest() takes all capabilities but those that are dropped', () => {
    const added = (HostConfig: object) => parseCreateRequest({ HostConfig }, IMAGE).host.CapAdd;
    const all = added({ CapAdd: ['all'] });
    assert.ok(all.length > 40 && all.includes('CAP_NET_RAW'), String(all));
    const without = all.filter((name) => name !== 'CAP_NET_RAW');
    assert.deepEqual(added({ CapAdd: ['ALL'], CapDrop: ['net_raw'] }), without);
    assert.deepEqual(added({ CapAdd: ['CHOWN'], CapDrop: ['ALL', 'CHOWN'] }), ['CAP_CHOWN']);
  });

  it('parseCreateRequest() refuses capabilities that there are not', () => {
    for (const field of ['CapAdd', 'CapDrop'])
      for (const name of ['FOO', 'CAP_ALL', '', 'a b']) {
        const body = { User: 'app', HostConfig: { [field]: [name] } };
        const message = new RegExp(`invalid ${field}: unknown capability: "CAP_`);
        assert.throws(() => parseCreateRequest(body, IMAGE), { code: 'invalid', message });
      }
  });

  it('parseCreateRequest() takes what the docker client says without a wish behind it', () => {
    const HostConfig = {
      ...{ Binds: null, NetworkMode: 'default', RestartPolicy: { Name: 'no', MaximumRetryCount: 0 } },
      ...{ LogConfig: { Type: '', Config: {} }, ConsoleSize: [24, 80], CapAdd: null, Privileged: false },
      ...{
        IpcMode: '',
        MemorySwappiness: -1,
        Devices: [],
        PortBindings: {},
        Ulimits: [],
        OomKillDisable: null,
      },
      ContainerIDFile: '/home/me/id',
    };
    assert.equal(parseCreateRequest({ HostConfig }, IMAGE).host.NetworkMode, 'default');
  });

  const refused: [string, object][] = [
    ['privileged containers', { Privileged: true }],
    ['host networking', { NetworkMode: 'host' }],
    ["another container's pid namespace", { PidMode: 'container:x' }],
    ['devices', { Devices: [{ PathOnHost: '/dev/sda' }] }],
    ['restart policies that there are not', { RestartPolicy: { Name: 'sometimes' } }],
    ['all capabilities of the machine', { CapAdd: ['ALL'], UsernsMode: 'host' }],
    ['loosened security', { SecurityOpt: ['seccomp=unconfined'] }],
    ['relative binds', { Binds: ['../x:/y'] }],
    ['binds over the root', { Binds: ['/x:/'] }],
    ['log drivers that there are not', { LogConfig: { Type: 'syslog', Config: {} } }],
    ['sysctls', { Sysctls: { 'kernel.x': '1' } }],
    ['a field that it does not know', { SomethingNew: 1 }],
  ];
  for (const [what, HostConfig] of refused) {
    it(`parseCreateRequest() refuses ${what}`, () => {
      assert.throws(() => parseCreateRequest({ HostConfig }, IMAGE), { code: 'invalid' });
    });
  }

  for (const body of [
    undefined,
    [],
    { Cmd: [1] },
    { Tty: 'yes' },
    { Hostname: 'a b' },
    { WorkingDir: 'app' },
    { StopSignal: 'x' },
    { NetworkDisabled: true },
    { MacAddress: '02:42:ac:11:00:09' },
    { NetworkingConfig: { EndpointsConfig: { bridge: { MacAddress: '02:42:ac:11:00:09' } } } },
  ]) {
    it(`parseCreateRequest() refuses ${JSON.stringify(body)}`, () => {
      assert.throws(() => parseCreateRequest(body, IMAGE), { code: 'invalid' });
    });
  }
});
