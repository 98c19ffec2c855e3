import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { planControl, planGroup, planJoining } from '../../../runtime/cgroups/group-plan.ts';
import { planExec } from '../../../runtime/containers/exec-plan.ts';
import type { LaunchSpec } from '../../../runtime/containers/kernel.ts';
import { type LaunchContext, planLaunch } from '../../../runtime/containers/launch-plan.ts';
import type { ReadyRoot } from '../../../runtime/containers/plan/ready-root-plan.ts';
import { planReadOnlyRootfs, planRootfs } from '../../../runtime/containers/plan/rootfs-plan.ts';
import { planSandbox, type SandboxContext } from '../../../runtime/containers/plan/sandbox-plan.ts';
import { parseTmpfs } from '../../../runtime/containers/tmpfs.ts';
import { MAX_LAYERS } from '../../../runtime/images/layer-store.ts';
import { encodeOperations, type Operation } from '../../../runtime/init/operation-list.ts';
import { ORDINARY_TRAFFIC } from '../../../runtime/network/traffic.ts';

const SPEC: LaunchSpec = {
  id: 'a'.repeat(64),
  rootfs: {
    lower: ['/layers/top', '/layers/base'],
    upper: '/c/upper',
    work: '/c/work',
    volatile: true,
    disk: undefined,
  },
  hostname: 'web-1',
  domainName: '',
  args: ['node', 'server.js'],
  env: ['PATH=/app/bin:/bin', 'PORT=5000'],
  cwd: '/app',
  uid: 70000,
  gid: 70000,
  groups: [],
  capabilities: [],
  userNamespace: false,
  limits: { memory: undefined, nanoCpus: undefined, cpuShares: undefined, pids: undefined },
  network: 'nat',
  traffic: ORDINARY_TRAFFIC,
  extraHosts: [],
  binds: [],
  shmSize: 1 << 26,
  stdio: { stdin: undefined, stdout: 10, stderr: 11 },
  exitFile: '/c/exit',
};

const CONTEXT: LaunchContext = {
  host: {
    overlayLayers: true,
    maskedFiles: ['/proc/keys'],
    maskedFolders: ['/sys/firmware'],
    readOnlyPaths: ['/proc/sys'],
    lastCapability: 40,
    openFiles: { soft: 1024, hard: 4096 },
    permitted: 0x1ff_ffff_ffffn,
  },
  binds: [],
  mappedFolders: [],
  etcFiles: { hosts: '127.0.0.1 localhost\n' },
  filter: Buffer.alloc(8),
  limits: [],
  entry: { open: [], join: [] },
};

const SANDBOX: SandboxContext = {
  host: CONTEXT.host,
  network: { name: 'v0-1', index: 77, address: '172.30.0.1' },
  group: [],
};

const READY: ReadyRoot = {
  lower: SPEC.rootfs.lower,
  ...{ upper: '/r/1.upper', work: '/r/1.work' },
  mappedFolders: [],
  lookups: ['/bin/node'],
};

describe('planSandbox()', () => {
  it('enters its control groups first of all, and is in the host’s mount namespace again at the end', () => {
    const group = [...planGroup('/g'), ...planJoining('/g')];
    assertOrder(planSandbox({ ...SANDBOX, group }), [
      'mkdirat(-100, "/g", 493)',
      'write_file("/g/cgroup.procs", 1, 0, "0", 1)',
      'unshare(1073741824)',
      'openat(-100, "/proc/thread-self/ns/mnt"',
      'setns(base namespace, 131072)',
      'unshare(201457664)',
      'mount("/d", "/v"',
      'mount("devpts", "/v/pts"',
      'mount("proc", "/p"',
      'openat(-100, "/p/thread-self/ns/mnt"',
      'dup3(own mounts, 210',
      'setns(host’s mounts, 131072)',
    ]);
  });

  it('hides and write-protects what tells of the machine, before anything of an image is there', () => {
    assertOrder(planSandbox(SANDBOX), [
      'mount("proc", "/p", "proc"',
      'mount("/p/sys", "/p/sys"',
      'mount("none", "/p/sys"',
      'mount("/d/null", "/p/keys"',
      'mount("/n", "/s/firmware"',
    ]);
  });

  it('talks to the host’s side of its network through a socket that it opened before it left', () => {
    assertOrder(planSandbox(SANDBOX), [
      'socket(16',
      'unshare(1073741824)',
      'netlink(outside',
      'close(outside)',
      'socket(16',
      'netlink(inside',
    ]);
  });

  it('stacks the root file system that is expected among the host’s mounts, and places it among its own', () => {
    assertOrder(planSandbox({ ...SANDBOX, root: READY }), [
      'openat(-100, "/proc/thread-self/ns/mnt"',
      'mkdirat(-100, "/r/1.upper", 493)',
      'mkdirat(-100, "/r/1.work", 448)',
      'chdir("/r")',
      'fsopen("overlay"',
      'fsmount(overlay',
      'setns(base namespace, 131072)',
      'unshare(201457664)',
      'move_mount(rootfs, "", -100, "/m"',
      'mkdirat(-100, "/m/etc", 493)',
      'faccessat(-100, "/m/bin/node", 0)',
      'setns(host’s mounts, 131072)',
    ]);
    const mapped = planSandbox({ ...SANDBOX, root: { ...READY, mappedFolders: ['/layers/top', '/r'] } });
    assertOrder(mapped, [
      'mkdirat(-100, "/r/1.upper", 493)',
      `setfsuid(${0x7000_0000})`,
      'move_mount(mapped, "", -100, "/r"',
      'fsopen("overlay"',
      'setfsgid(0)',
      'setfsuid(0)',
      'setns(base namespace, 131072)',
    ]);
  });

  it('empties its bounding set at the end, if nothing in it is to have capabilities', () => {
    const plan = planSandbox({ ...SANDBOX, isBounded: true });
    assert.deepEqual(plan.at(-1)?.args, [0n, 40]);
    assert.equal(plan.at(-1)?.call, 'drop_bounding');
    const calls = planLaunch(SPEC, { ...CONTEXT, isBounded: true }).map(({ call }) => call);
    assert.ok(!calls.includes('drop_bounding') && calls.includes('capset'));
  });

  it('makes a network without anything of the host for `none`', () => {
    const none = planSandbox({ ...SANDBOX, network: undefined });
    assertOrder(none, ['unshare(1073741824)', 'netlink(inside']);
    assert.equal(none.filter(({ call }) => call === 'netlink').length, 1);
  });

  it('can be encoded', () => {
    const plan = planSandbox(SANDBOX);
    assert.ok(encodeOperations(plan, ['base namespace']).length > plan.length * 64);
  });
});

describe('planLaunch()', () => {
  const plan = planLaunch(SPEC, CONTEXT);

  it('gives up privileges in the only order that works, and runs nothing of the image before', () => {
    assertOrder(plan, [
      'fsopen("overlay"',
      'setns(210, 131072)',
      'move_mount(rootfs',
      'move_mount(-100, "/v", folder',
      'move_mount(-100, "/p", folder',
      'move_mount(-100, "/s", folder',
      'chroot(".")',
      'openat(-100, "/dev/null", 0)',
      'dup3(null, 0, 0)',
      'close_range(5',
      'drop_bounding(0, 40)',
      'setgroups(0',
      'setresgid(70000, 70000, 70000)',
      'setresuid(70000, 70000, 70000)',
      'capset(',
      'prctl(4, 0',
      'prctl(38, 1',
      'seccomp(1, 0',
      'chdir("/app")',
      'check_folder()',
      'spawn(1, 0)',
      'setsid()',
      'execute("/app/bin/node"',
      'execute("/bin/node"',
    ]);
  });

  it('drops every capability from the bounding set but those named, and those only for root', () => {
    const kept = (spec: Partial<LaunchSpec>) =>
      planLaunch({ ...SPEC, ...spec }, CONTEXT).find(({ call }) => call === 'drop_bounding')?.args;
    assert.deepEqual(kept({}), [0n, 40]);
    assert.deepEqual(kept({ capabilities: ['CAP_CHOWN'] }), [0n, 40]);
    assert.deepEqual(kept({ uid: 0, capabilities: ['CAP_CHOWN', 'CAP_KILL'] }), [0b100001n, 40]);
    assert.throws(() => kept({ uid: 0, capabilities: ['CAP_EVERYTHING'] }), /no capability/);
  });

  it('stacks layers topmost first, named without the folder that they are in', () => {
    const layers = plan.filter(({ args }) => args[2] === 'lowerdir+').map(({ args }) => args[3]);
    assert.deepEqual(layers, ['../layers/top', '../layers/base']);
    assertOrder(plan, ['chdir("/c")', 'fsopen("overlay"', 'fsconfig(overlay, 1, "upperdir", "upper", 0)']);
  });

  it('stacks layers in one mount on older kernels, with what has a meaning there escaped', () => {
    const rootfs = { ...SPEC.rootfs, lower: ['/a:b', '/c,d'] };
    const old = planLaunch(
      { ...SPEC, rootfs },
      { ...CONTEXT, host: { ...CONTEXT.host, overlayLayers: false } },
    );
    const mount = old.find(({ args }) => args[2] === 'overlay');
    assert.match(
      String(mount?.args[4]),
      /^lowerdir=..\/a\\:b:..\/c\\,d,upperdir=upper,workdir=work,.*,volatile$/,
    );
    assert.equal(mount?.purpose, 'stack "../a:b", "../c,d", "upper"');
  });

  it('has room for the names of as many layers as an image may have, on older kernels, in the usual folder', () => {
    const PAGE = 4096;
    const old = { ...CONTEXT.host, overlayLayers: false };
    const lower = Array.from(
      { length: MAX_LAYERS },
      () => '/var/lib/paas/runtime/layers/0123456789abcdef/diff',
    );
    const upper = `/var/lib/paas/runtime/containers/${'c'.repeat(64)}/upper`;
    const work = upper.replace(/upper$/, 'work');
    for (const stack of [
      planRootfs({ lower, upper, work, volatile: true }, old),
      planReadOnlyRootfs(lower, old),
      planReadOnlyRootfs([upper, ...lower.slice(1)], old),
    ]) {
      const options = String(stack.find(({ args }) => args[2] === 'overlay')?.args[4]);
      assert.ok(options.length < PAGE, `${options.length} bytes`);
    }
  });

  it('takes the folders of a root file system that its sandbox has mounted, and mounts none', () => {
    const plan = planLaunch(SPEC, { ...CONTEXT, ready: READY });
    assertOrder(plan, [
      'renameat(-100, "/r/1.upper", -100, "/c/upper")',
      'renameat(-100, "/r/1.work", -100, "/c/work")',
      'setns(210, 131072)',
      'openat(-100, "/m"',
      'chroot(".")',
    ]);
    assert.ok(!plan.some(({ call, result }) => call === 'fsopen' || result === 'rootfs'));
    const makesDev = ({ call, args }: Operation) => call === 'mkdirat' && args[1] === '/m/dev';
    assert.ok(!plan.some(makesDev));
    assert.ok(planLaunch(SPEC, { ...CONTEXT, ready: { ...READY, mappedFolders: ['/r'] } }).some(makesDev));
    assert.ok(planLaunch(SPEC, CONTEXT).some(makesDev));
  });

  it('enters a user namespace after everything that only root may do, and makes all files as its root', () => {
    const rooted = planLaunch(
      { ...SPEC, uid: 0, gid: 0, userNamespace: true },
      { ...CONTEXT, mappedFolders: ['/layers/base', '/c'] },
    );
    const ROOT = 0x7000_0000;
    assertOrder(rooted, [
      'dup3(user namespace, 200',
      `setfsgid(${ROOT})`,
      `setfsuid(${ROOT})`,
      'capset(',
      'unshare(131072)',
      'mount("none", "/", null',
      'open_tree(-100, "/layers/base"',
      'mount_setattr(mapped, "", 4096, [bytes], 32)',
      'move_mount(mapped, "", -100, "/layers/base"',
      'open_tree(-100, "/c"',
      'move_mount(mapped, "", -100, "/c"',
      'chdir("/c")',
      'fsopen("overlay"',
      'chroot(".")',
      'setns(user namespace, 268435456)',
      'close_range(5',
      'drop_bounding(0',
      'setresuid(0, 0, 0)',
      'seccomp(1',
    ]);
    assert.ok(!plan.some(({ args }) => args.includes(0x1000_0000)), 'an app has none');
  });

  it('opens the sources of binds before an older kernel’s overlay covers the workplace', () => {
    const binds = [{ source: '/tmp/v', target: '/data', readOnly: true, isFolder: true }];
    const host = { ...CONTEXT.host, overlayLayers: false };
    assertOrder(planLaunch(SPEC, { ...CONTEXT, host, binds }), [
      'open_tree(-100, "/tmp/v"',
      'mount("overlay", "/tmp"',
      'move_mount(rootfs',
      'move_mount(bind 0',
    ]);
  });

  it('mounts a layer that will be kept without `volatile`', () => {
    const rootfs = { ...SPEC.rootfs, volatile: false };
    assert.ok(plan.some(({ args }) => args[2] === 'volatile'));
    assert.ok(!planLaunch({ ...SPEC, rootfs }, CONTEXT).some(({ args }) => args[2] === 'volatile'));
  });

  it('opens what the image names inside the root alone', () => {
    const IN_ROOT = 16n;
    const binds = [{ source: '/v', target: '/data/x', readOnly: true, isFolder: true }];
    const opened = planLaunch(SPEC, { ...CONTEXT, binds })
      .filter(({ call }) => call === 'openat2')
      .map(({ args }) => ({ path: args[1], resolve: (args[2] as Buffer).readBigUInt64LE(16) }));
    for (const path of ['data/x', 'etc/hosts'])
      assert.equal(opened.find((it) => it.path === path)?.resolve, IN_ROOT);
  });

  it('refuses binds over file systems of ours', () => {
    for (const target of ['/', '/proc', '/proc/1', '/sys/', '//dev', '/./proc', '/a/..', 'a']) {
      const binds = [{ source: '/v', target, readOnly: false, isFolder: true }];
      assert.throws(() => planLaunch(SPEC, { ...CONTEXT, binds }), /mounted/, target);
    }
    const binds = [{ source: '/v', target: '/process', readOnly: false, isFolder: true }];
    assert.doesNotThrow(() => planLaunch(SPEC, { ...CONTEXT, binds }));
  });

  it('takes the terminal for all three, and as controlling terminal', () => {
    const withTerminal = planLaunch({ ...SPEC, stdio: { terminal: { rows: 1, columns: 1 } } }, CONTEXT);
    assertOrder(withTerminal, [
      'dup3(terminal, 0',
      'dup3(terminal, 2',
      'setsid()',
      'ioctl(0, 21518',
      'execute',
    ]);
  });

  it('sets the limits of its control groups first of all', () => {
    const limits = planControl('/g', { file: 'pids.max', value: 9 });
    const [first] = planLaunch(SPEC, { ...CONTEXT, limits });
    assert.equal(shown(first!), 'write_file("/g/pids.max", 1, 0, "9", 1)');
  });

  it('has memory charged to its group when all is mounted, as root still', () => {
    const entry = {
      open: planControl('/open', { file: 'x', value: 1 }),
      join: planControl('/join', { file: 'x', value: 1 }),
    };
    const binds = [{ source: '/v', target: '/data', readOnly: false, isFolder: true }];
    const launch = planLaunch(SPEC, { ...CONTEXT, entry, binds });
    assertOrder(launch, [
      'write_file("/open/x"',
      'setns(210',
      'chroot(',
      'write_file("/join/x"',
      'setresuid(',
    ]);
    const joined = launch.findIndex((operation) => shown(operation).startsWith('write_file("/join/x"'));
    const makesFiles = ['mkdirat', 'mount', 'move_mount', 'fsmount'];
    assert.deepEqual(
      launch.slice(joined).filter(({ call }) => makesFiles.includes(call)),
      [],
    );
  });

  it('sets limits of processes over its own, and the OOM score while it sees the host’s /proc', () => {
    const limited = planLaunch(
      { ...SPEC, oomScoreAdj: 300, ulimits: [{ name: 'nofile', soft: 5, hard: -1 }] },
      CONTEXT,
    );
    assertOrder(limited, ['write_file("/proc/self/oom_score_adj", 1, 0, "300", 3)', 'setns(210']);
    const set = limited
      .filter(({ call }) => call === 'prlimit64')
      .map(({ args }) => ({
        resource: args[1],
        limits: [...new BigUint64Array(new Uint8Array(args[2] as Buffer).buffer)],
      }));
    const NONE = 2n ** 64n - 1n;
    assert.deepEqual(set, [
      ...[6, 11, 12].map((countedByUser) => ({ resource: countedByUser, limits: [NONE, NONE] })),
      { resource: 4, limits: [0n, 0n] },
      { resource: 7, limits: [5n, NONE] },
    ]);
    assert.ok(!plan.map(shown).some((line) => line.includes('oom_score_adj')));
  });

  it('makes settings of the kernel while it sees the host’s /proc, where they are its namespaces’ own', () => {
    const sysctls = { 'net.core.somaxconn': '77' };
    const setting = 'write_file("/proc/sys/net/core/somaxconn", 1, 0, "77", 2)';
    assertOrder(planLaunch({ ...SPEC, sysctls }, CONTEXT), [setting, 'setns(210']);
    const rooted = planLaunch({ ...SPEC, sysctls, uid: 0, userNamespace: true }, CONTEXT);
    assertOrder(rooted, ['unshare(134217728)', setting, 'setns(210']);
  });

  it('covers what of the sandbox is not as the container wants it', () => {
    const small = planLaunch({ ...SPEC, shmSize: 4096 }, CONTEXT);
    assertOrder(small, ['move_mount(-100, "/v", folder', 'mount("shm", "/m/dev/shm"']);
    assert.ok(!plan.map(shown).some((line) => line.startsWith('mount("shm"')));
    const rooted = planLaunch({ ...SPEC, uid: 0, userNamespace: true }, CONTEXT);
    assertOrder(rooted, [
      'move_mount(-100, "/v", folder',
      'mount("devpts", "/m/dev/pts"',
      'mount("shm", "/m/dev/shm"',
      'mount("mqueue", "/m/dev/mqueue"',
    ]);
  });

  it('mounts memory around the binds: outer folders first, and what lies in a bind after it', () => {
    const tmpfs = ['/data/x/tmp', '/data', '/run'].map((target) => parseTmpfs(target, 'size=5k,mode=0700'));
    const binds = [{ source: '/v', target: '/data/x', readOnly: false, isFolder: true }];
    const mounts = planLaunch({ ...SPEC, tmpfs }, { ...CONTEXT, binds })
      .filter(({ call, purpose }) => call === 'move_mount' && !/"\/etc\/| in the root/.test(purpose))
      .map(({ purpose }) => purpose);
    assert.deepEqual(mounts, [
      'place the root file system',
      ...['mount "/run"', 'mount "/data"', 'mount "/data/x"', 'mount "/data/x/tmp"'],
    ]);
    const flags = planLaunch({ ...SPEC, tmpfs: [parseTmpfs('/run', '')] }, CONTEXT)
      .filter(({ call, purpose }) => call === 'fsmount' && purpose.includes('/run'))
      .map(({ args }) => args[2]);
    const NOSUID_NODEV_NOEXEC = 2 | 4 | 8;
    assert.deepEqual(flags, [NOSUID_NODEV_NOEXEC]);
  });

  it('makes the root read-only when everything has its place in it', () => {
    const readOnly = planLaunch({ ...SPEC, readOnlyRoot: true }, CONTEXT);
    assertOrder(readOnly, ['mkdirat(root, "app"', 'mount_setattr(-100, "/m", 0, [bytes], 32)', 'chroot(']);
    assert.ok(!plan.map(shown).some((line) => line.startsWith('mount_setattr(-100, "/m"')));
  });

  it('can be encoded', () => {
    const names = ['stdout', 'stderr'];
    assert.ok(encodeOperations(plan, names).length > plan.length * 64);
  });

  it('looks for a program with a slash in one place, and for none nowhere', () => {
    const executed = (args: string[]) =>
      planLaunch({ ...SPEC, args }, CONTEXT)
        .filter(({ call }) => call === 'execute')
        .map(({ args: [path] }) => path);
    assert.deepEqual(executed(['./run']), ['./run']);
    assert.throws(() => executed([]), { exitCode: 127 });
  });
});

describe('planExec()', () => {
  it('enters the container’s user namespace last, if it has one', () => {
    const context = { host: CONTEXT.host, filter: CONTEXT.filter, cgroups: [] };
    assertOrder(planExec(SPEC, { ...context, userNamespace: true }), [
      'setns(container, 1845624832)',
      'chroot(".")',
      'setns(container, 268435456)',
      'close_range(5',
      'drop_bounding(0',
    ]);
  });

  it('enters all namespaces, drops the same privileges and leaves signals of others alone', () => {
    const plan = planExec(SPEC, {
      host: CONTEXT.host,
      filter: CONTEXT.filter,
      userNamespace: false,
      cgroups: [],
    });
    assertOrder(plan, [
      'setns(container, 1845624832)',
      'chroot(".")',
      'close_range(5',
      'drop_bounding(0, 40)',
      'setresuid(70000, 70000, 70000)',
      'capset(',
      'prctl(4, 0',
      'prctl(38, 1',
      'seccomp(1, 0',
      'check_folder()',
      'spawn(0, 0)',
      'execute(',
    ]);
  });
});

function assertOrder(plan: Operation[], expected: string[]): void {
  const lines = plan.map(shown);
  let from = 0;
  for (const start of expected) {
    const at = lines.findIndex((line, index) => index >= from && line.startsWith(start));
    assert.ok(at >= 0, `${start} does not come after ${lines[from - 1]}:\n${lines.join('\n')}`);
    from = at + 1;
  }
}

function shown({ call, args }: Operation): string {
  const words = args.map((argument) => {
    if (typeof argument === 'string') return JSON.stringify(argument);
    if (argument instanceof Uint8Array) return '[bytes]';
    return argument && typeof argument === 'object' ? String(Object.values(argument)[0]) : String(argument);
  });
  return `${call}(${words.join(', ')})`;
}
