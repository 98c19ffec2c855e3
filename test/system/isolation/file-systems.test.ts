import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { LaunchSpec } from '../../../runtime/containers/kernel.ts';
import { BASE } from '../../../runtime/containers/plan/base-namespace.ts';
import { SetupError } from '../../../runtime/containers/setup-error.ts';
import type { Operation } from '../../../runtime/init/operation-list.ts';
import { CLONE, MOUNT, MOUNT_ATTRIBUTE, OPEN, RESOLVE } from '../../../runtime/syscall/constants.ts';
import { openHow } from '../../../runtime/syscall/files.ts';
import { isolationSuite } from './isolation-suite.ts';
import { ALLOW_ALL, without } from './weakened.ts';

const CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
];
/** Root inside as it is by default, and without a user namespace: the most dangerous that there is. */
const ROOT = { uid: 0, gid: 0, capabilities: CAPABILITIES, userNamespace: true };
const HOST_ROOT = { ...ROOT, userNamespace: false };

/** Every file below these folders that can be opened for writing, after their number. */
const WRITABLE = (...folders: string[]) => `perl -e '
  my @todo = qw(${folders.join(' ')}); my ($tried, @open) = (0);
  while (defined(my $path = shift @todo)) {
    next if -l $path;
    if (-d _) { opendir(my $d, $path) or next; push @todo, map { "$path/$_" } grep { !/^\\.\\.?$/ } readdir $d; next }
    next unless -f _;
    $tried++;
    my $file; push @open, $path if sysopen($file, $path, 1 | 2048);
  }
  print "$tried tried\\n", map { "$_\\n" } @open'`;

describe('file systems in a container', function () {
  this.timeout(60_000);
  const { containers, weakened } = isolationSuite();

  let layers = 0;
  /** For each start, a root file system with one more layer, which `fill` makes. */
  function withLayer(fill: (folder: string) => void): () => Pick<LaunchSpec, 'rootfs'> {
    const layer = join(containers.folder, `layer-${layers++}`);
    mkdirSync(layer);
    fill(layer);
    return () => {
      const { rootfs } = containers.spec('true');
      return { rootfs: { ...rootfs, lower: [layer, ...rootfs.lower] } };
    };
  }

  it('opens no file of /proc/sys, /sys and their like for writing; without the mounts’ flags it would', async () => {
    const folders = ['/proc/sys', '/proc/irq', '/proc/bus', '/proc/fs', '/proc/sysrq-trigger', '/sys'];
    for (const user of [{}, ROOT, HOST_ROOT]) {
      const { output } = await containers.run(WRITABLE(...folders), user);
      const [count, ...open] = output.trim().split('\n');
      assert.deepEqual(open, []);
      assert.ok(Number.parseInt(String(count), 10) > 1000, `only ${count}`);
    }
    const open = await weakened.run(
      WRITABLE('/proc/sys/kernel'),
      { edit: without('mount "/proc/sys"') },
      HOST_ROOT,
    );
    assert.match(open.output, /core_pattern/);
    const mapped = await containers.run('id -u; echo x > /proc/sys/kernel/core_pattern', ROOT);
    assert.match(mapped.output, /^0\n.*(Read-only|denied)/s);
  });

  const MASKED = [
    '/proc/timer_list',
    '/proc/keys',
    '/proc/interrupts',
    '/proc/cmdline',
    '/proc/kcore',
    '/proc/sched_debug',
  ];

  it('masks what tells of the machine; nobody takes the mask off', async () => {
    const read = `for file in ${MASKED.join(' ')}; do head -c 64 $file; done 2>/dev/null; ls -A /sys/firmware /proc/acpi /sys/devices/virtual/dmi 2>/dev/null | grep -v :$`;
    const attack = `for path in ${MASKED.join(' ')} /proc/sys; do umount $path; mount -o remount,rw $path; mount -t proc proc /mnt; done >/dev/null 2>&1; ${read}`;
    for (const user of [{}, ROOT, HOST_ROOT]) {
      assert.equal((await containers.run(`${read}; true`, user)).output.trim(), '');
      assert.equal((await containers.run(`${attack}; true`, user)).output.trim(), '');
    }
    const unmasked = (operations: Operation[]) =>
      operations.filter(({ args }) => args[0] !== `${BASE.devices}/null` && args[0] !== BASE.nothing);
    assert.ok((await weakened.run(read, { edit: unmasked }, HOST_ROOT)).output.length > 64);
  });

  it('masks with its own /dev/null, whatever that of the image is (CVE-2025-31133)', async () => {
    const image = withLayer((folder) => {
      mkdirSync(join(folder, 'dev/pts'), { recursive: true });
      writeFileSync(join(folder, 'marker'), 'of the image');
      for (const name of ['null', 'pts/0', 'pts/ptmx', 'ptmx', 'tty', 'shm', 'mqueue']) {
        symlinkSync(name.includes('/') ? '../../marker' : '../marker', join(folder, 'dev', name));
      }
    });
    const script =
      'stat -c "%F %n" /dev/null /dev/tty; cat /proc/keys; echo x > /dev/null; cat /marker; rm -f /dev/null 2>&1';
    for (const user of [{}, HOST_ROOT]) {
      const { output } = await containers.run(script, { ...image(), ...user });
      assert.match(
        output,
        /^character special file \/dev\/null\ncharacter special file \/dev\/tty\nof the imagerm: .*Read-only/,
      );
    }
    // The mask after the image's file system is there, and by a path in that.
    const ofTheImage = (operations: Operation[]) => {
      const isMask = ({ args }: Operation) => args[0] === `${BASE.devices}/null`;
      const late = operations.filter(isMask).map((operation) => ({
        ...operation,
        args: [
          `${BASE.root}/dev/null`,
          String(operation.args[1]).replace(BASE.proc, `${BASE.root}/proc`),
        ].concat(operation.args.slice(2) as never[]),
      }));
      const others = without('mount "/dev')(operations.filter((operation) => !isMask(operation)));
      const placed =
        others.findIndex(({ purpose }) => purpose === 'mount "/sys" in the root file system') + 1;
      return [...others.slice(0, placed), ...late, ...others.slice(placed)];
    };
    const fooled = await weakened.run(
      'cat /proc/keys',
      { edit: (operations) => ofTheImage(withoutInput(operations)) },
      image(),
    );
    assert.equal(fooled.output, 'of the image');
  });

  it('gives an exec a terminal of its own devpts, whatever is in the image (CVE-2025-52565)', async () => {
    const image = withLayer((folder) => {
      mkdirSync(join(folder, 'dev/pts'), { recursive: true });
      for (const name of ['0', '1', 'ptmx']) symlinkSync('/etc/passwd', join(folder, 'dev/pts', name));
    });
    const spec = containers.spec('sleep 99', { ...image(), stdio: { terminal: { rows: 9, columns: 9 } } });
    await containers.during(spec, async () => {
      const options = {
        args: ['sh', '-c', 'stat -c %F $(tty) > /tmp/type'],
        stdio: { terminal: { rows: 9, columns: 9 } },
      };
      const { exited } = await containers.kernel.exec(spec.id, { ...spec, ...options });
      assert.equal(await exited, 0);
      assert.equal((await containers.exec(spec, 'cat /tmp/type')).output, 'character special file\n');
    });
  });

  it('refuses an image whose /proc, /sys or /dev is a link (CVE-2019-19921, CVE-2026-41579)', async () => {
    for (const name of ['proc', 'sys', 'dev']) {
      const image = (target: string) => withLayer((folder) => symlinkSync(target, join(folder, name)));
      for (const target of ['tmp', '/tmp', '../../..', '/proc/self/root']) {
        await assert.rejects(
          containers.run('true', image(target)()),
          /no symbolic link/,
          `${name} → ${target}`,
        );
      }
      const weak = await weakened.run('echo started', { edit: following(name) }, image('tmp')());
      assert.equal(weak.output, 'started\n');
    }
  });

  it('refuses mounts over /proc, /sys, /dev and / (CVE-2019-19921), however they are spelt', async () => {
    for (const target of [
      '/proc',
      '/proc/sys',
      '/sys/kernel',
      '/dev/',
      '/',
      '/a/../proc',
      '//proc',
      '/./sys',
      'data',
    ]) {
      const binds = [{ source: '/tmp', target, readOnly: true }];
      await assert.rejects(containers.run('true', { binds }), SetupError, target);
    }
    const binds = [{ source: '/tmp', target: '/process', readOnly: true }];
    assert.equal((await containers.run('echo mounted', { binds })).output, 'mounted\n');
  });

  it('has no cgroup to write to, no release agent, no notification (CVE-2022-0492)', async () => {
    const script = `find / -xdev -name release_agent 2>/dev/null; find /sys /proc /dev -name notify_on_release -o -name release_agent 2>/dev/null
      mkdir -p /tmp/c; mount -t cgroup -o memory none /tmp/c 2>/dev/null && echo mounted; mount -t cgroup2 none /tmp/c 2>/dev/null && echo mounted
      mkdir /sys/fs/cgroup/x 2>/dev/null && echo made; for file in /sys/fs/cgroup/*; do (exec 3>> $file) 2>/dev/null && echo $file; done; true`;
    for (const user of [{}, ROOT, HOST_ROOT]) assert.equal((await containers.run(script, user)).output, '');
    const groups = ['cgroup', '/sys/fs/cgroup', 'cgroup2', 0, null];
    const writable = (operations: Operation[]) =>
      operations.flatMap((operation) =>
        operation.call === 'unshare' && operation.args[0] === CLONE.NEWCGROUP
          ? [operation, { call: 'mount', args: groups, purpose: '' }]
          : operation,
      );
    assert.match(
      (await weakened.run(script, { edit: writable }, HOST_ROOT)).output,
      /\/sys\/fs\/cgroup\/cgroup\.procs/,
    );
  });

  /** Block and character devices: a disk, /dev/mem, port, tun, kvm, fuse, loop, and the machine's own first disk. */
  const DEVICES = [
    'b 254 0',
    'b 8 0',
    'b 259 0',
    'c 1 1',
    'c 1 4',
    'c 10 200',
    'c 10 232',
    'c 10 229',
    'b 7 0',
    'c 1 3',
  ];

  it(`makes no device and opens none of an image or a volume (${DEVICES.length} kinds)`, async () => {
    const make = (folder: string) =>
      DEVICES.forEach((device, index) => {
        execFileSync('mknod', ['-m', '666', join(folder, `device${index}`), ...device.split(' ')]);
      });
    const image = withLayer(make);
    const volume = join(containers.folder, 'devices');
    mkdirSync(volume, { mode: 0o755 });
    make(volume);
    const script = `
      for device in ${DEVICES.map((device) => `"${device}"`).join(' ')}; do mknod /tmp/made $device 2>/dev/null && echo "made $device"; done
      for file in /device* /data/device*; do (exec 3< $file) 2>/dev/null && echo $file; done; mknod /tmp/fifo p && echo fifo`;
    const options = () => ({ ...image(), binds: [{ source: volume, target: '/data', readOnly: false }] });
    for (const user of [{}, ROOT, HOST_ROOT]) {
      assert.equal((await containers.run(script, { ...options(), ...user })).output, 'fifo\n');
    }
    const withDevices = (operations: Operation[]) =>
      operations.map((operation) =>
        operation.call === 'fsmount'
          ? { ...operation, args: operation.args.with(2, MOUNT_ATTRIBUTE.NOSUID) }
          : operation.args[2] === 'overlay'
            ? { ...operation, args: operation.args.with(3, MOUNT.NOSUID) }
            : operation,
      );
    assert.match(
      (await weakened.run(script, { edit: withDevices }, { ...image(), ...HOST_ROOT })).output,
      /\/device9\n/,
    );
  });

  it('gets no privilege by set-user-id programs, nor by file capabilities', async () => {
    const image = withLayer((folder) => {
      execFileSync('cp', ['/bin/id', join(folder, 'setuid-id')]);
      execFileSync('chmod', ['6755', join(folder, 'setuid-id')]);
    });
    assert.equal((await containers.run('/setuid-id -u', image())).output, '70000\n');
    const nosuid = (operations: Operation[]) =>
      without('give up new privileges')(operations).map((operation) =>
        operation.call === 'fsmount'
          ? { ...operation, args: operation.args.with(2, MOUNT_ATTRIBUTE.NODEV) }
          : operation.args[2] === 'overlay'
            ? { ...operation, args: operation.args.with(3, MOUNT.NODEV) }
            : operation,
      );
    // Without no_new_privs the kernel takes no filter from who is not root.
    const weak = (operations: Operation[]) => nosuid(operations).filter(({ call }) => call !== 'seccomp');
    assert.equal((await weakened.run('/setuid-id -u', { edit: weak }, image())).output, '0\n');
  });

  it('bounds what /dev/shm and its /etc files hold; /dev holds nothing', async () => {
    const script = `dd if=/dev/zero of=/dev/shm/big bs=64k count=64 2>&1 | grep -o "No space left"; stat -c %s /dev/shm/big
      dd if=/dev/zero of=/dev/big bs=64k count=1 2>&1 | grep -o "Read-only"; dd if=/dev/zero of=/etc/hosts bs=64k count=2000 2>&1 | grep -o "No space left"; true`;
    const { output } = await containers.run(script, { ...ROOT, shmSize: 1 << 20 });
    assert.equal(output, `No space left\n${1 << 20}\nRead-only\nNo space left\n`);
    const larger = await containers.run(
      'dd if=/dev/zero of=/dev/shm/big bs=64k count=64 2>/dev/null; stat -c %s /dev/shm/big',
      { shmSize: 8 << 20 },
    );
    assert.equal(larger.output, `${4 << 20}\n`);
  });

  it('finds an empty folder outside of its root, if it ever gets there', async () => {
    const leave = `perl -e 'mkdir "/tmp/x"; chroot "/tmp/x" or print "refused "; chdir ".." for 1..50; chroot "."; print join " ", sort glob "*"'`;
    const capabilities = [...CAPABILITIES, 'CAP_SYS_CHROOT'];
    assert.match((await containers.run(leave, { ...HOST_ROOT, capabilities })).output, /^refused /);
    const outside = await weakened.run(leave, { filter: ALLOW_ALL }, { ...HOST_ROOT, capabilities });
    assert.equal(
      outside.output,
      Object.values(BASE)
        .map((folder) => folder.slice(1))
        .sort()
        .join(' '),
    );
    assert.ok(!readFileSync('/proc/mounts', 'utf8').includes(` ${BASE.root} `));
  });
});

/** Makes what is used of the image be found as the image says. */
function following(name: string) {
  const how = openHow({ flags: OPEN.PATH | OPEN.DIRECTORY, resolve: RESOLVE.IN_ROOT });
  return (operations: Operation[]): Operation[] =>
    operations.map((operation) =>
      operation.purpose.startsWith(`use "/${name}" of the image`)
        ? { ...operation, args: operation.args.with(2, how) }
        : operation,
    );
}

/** Its input would be opened in the image’s /dev. */
function withoutInput(operations: Operation[]): Operation[] {
  return without('connect descriptor 0 to /dev/null')(operations);
}
