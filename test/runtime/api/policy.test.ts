import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { refuseUnsafeContainer } from '../../../runtime/api/policy.ts';

const HOST = { volumes: '/data/volumes' };
const check = (HostConfig: object) => refuseUnsafeContainer({ HostConfig }, HOST);

describe('refuseUnsafeContainer()', () => {
  const allowed: [string, object][] = [
    ['nothing special', {}],
    ['limits', { Memory: 1, NanoCpus: 2, PidsLimit: 3, CpuShares: 4 }],
    [
      'less than others have',
      { Ulimits: [{ Name: 'nofile', Soft: 1, Hard: 1 }], ReadonlyRootfs: true, OomScoreAdj: 5 },
    ],
    ['file systems in memory', { Tmpfs: { '/x': 'size=1m' } }],
    ['both networks', { NetworkMode: 'none' }],
    ['the capabilities of a build step', { CapAdd: ['CHOWN', 'CAP_DAC_OVERRIDE', 'fowner', 'SETFCAP'] }],
    ['volumes', { Binds: ['/data/volumes/app1:/x', 'cache:/y:ro'] }],
    ['tightened security', { SecurityOpt: ['no-new-privileges'] }],
    ['what is off', { Privileged: false, Devices: [], PidMode: '', Sysctls: {} }],
  ];
  for (const [what, config] of allowed) {
    it(`refuseUnsafeContainer() allows ${what}`, () => check(config));
  }

  const refused: [string, object][] = [
    ['processes without number', { PidsLimit: -1 }],
    ['swap without limit', { MemorySwap: -1 }],
    ['a limit that is none', { PidsLimit: 'many' }],
    ['privileged containers', { Privileged: true }],
    ['the network of the host', { NetworkMode: 'host' }],
    ['the network of another container', { NetworkMode: 'container:abc' }],
    ['the processes of the host', { PidMode: 'host' }],
    ['the IPC of the host', { IpcMode: 'host' }],
    ['the UTS namespace of the host', { UTSMode: 'host' }],
    ['the user namespace of the host', { UsernsMode: 'host' }],
    ['the cgroups of the host', { CgroupnsMode: 'host', CgroupParent: '/' }],
    ['devices', { Devices: [{ PathOnHost: '/dev/sda' }] }],
    ['device rules', { DeviceCgroupRules: ['a *:* rwm'] }],
    ['a port of the host', { PortBindings: { '80/tcp': [{ HostPort: '80' }] } }],
    ['any port of the host', { PortBindings: { '80/tcp': [{}] } }],
    ['all ports', { PublishAllPorts: true }],
    ['name servers', { Dns: ['10.0.0.1'] }],
    ['one capability too many', { CapAdd: ['CHOWN', 'SYS_ADMIN'] }],
    ['all capabilities', { CapAdd: ['ALL'] }],
    ['binds of the host', { Binds: ['/etc:/x'] }],
    ['binds of all volumes', { Binds: ['/data/volumes:/x'] }],
    ['binds out of the volumes', { Binds: ['/data/volumes/../runtime:/x'] }],
    ['binds inside a volume', { Binds: ['/data/volumes/app1/link:/x'] }],
    ['binds beside the volumes', { Binds: ['/data/volumes2/a:/x'] }],
    ['mounts', { Mounts: [{ Type: 'bind', Source: '/', Target: '/x' }] }],
    ['volumes of others', { VolumesFrom: ['x'] }],
    ['no seccomp', { SecurityOpt: ['seccomp=unconfined'] }],
    ['no masks', { MaskedPaths: ['/x'] }],
    ['sysctls', { Sysctls: { 'net.ipv4.ip_forward': '1' } }],
    ['other runtimes', { Runtime: 'runc' }],
    ['restarts', { RestartPolicy: { Name: 'always' } }],
    ['what it does not know', { Novelty: { a: 1 } }],
  ];
  for (const [what, config] of refused) {
    it(`refuseUnsafeContainer() refuses ${what}`, () => {
      assert.throws(() => check(config), { code: 'forbidden' });
    });
  }

  it('refuseUnsafeContainer() refuses what is no request', () => {
    for (const body of [
      undefined,
      null,
      [],
      'x',
      { HostConfig: [] },
      { HostConfig: { NetworkMode: { a: 1 } } },
    ]) {
      assert.throws(() => refuseUnsafeContainer(body, HOST), { code: 'invalid' });
    }
  });
});
