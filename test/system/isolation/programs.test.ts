import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { LaunchSpec } from '../../../runtime/containers/kernel.ts';
import { ensureInit } from '../../../runtime/init/build.ts';
import type { Operation } from '../../../runtime/init/operation-list.ts';
import { AT, OPEN } from '../../../runtime/syscall/constants.ts';
import { isolationSuite } from './isolation-suite.ts';
import { without } from './weakened.ts';

const EXECS = 500;

/** Root inside without a user namespace: the most dangerous that there is. */
const HOST_ROOT = {
  uid: 0,
  gid: 0,
  capabilities: ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_KILL', 'CAP_SETUID'],
};

/**
 * Until /tmp/stop is there: tries everything at each process that is still our init (PID 1, and execs until they run their
 * program), and counts what worked. What succeeds at a program of the container's own does not count.
 */
const ATTACK = `
  sub init { (readlink("/proc/$_[0]/exe") // "") =~ /memfd/ }
  my %got = map { $_ => 0 } qw(looked joining exe fds mem traced written);
  until (-e "/tmp/stop") {
    opendir(my $all, "/proc") or die;
    for my $p (grep { /^[0-9]+$/ && $_ != $$ } readdir $all) {
      open(my $f, "<", "/proc/$p/comm") or next;
      next unless (<$f> // "") =~ /^paas-init/;
      $got{looked}++;
      $got{joining}++ if $p != 1;
      my ($exe, $w);
      if (sysopen($exe, "/proc/$p/exe", 010000000) && (readlink("/proc/self/fd/" . fileno($exe)) // "") =~ /memfd/) {
        $got{exe}++;
        $got{written}++ if open($w, "+<", "/proc/self/fd/" . fileno($exe)) && syswrite($w, "#!/bin/sh");
      }
      $got{fds}++ if opendir(my $fds, "/proc/$p/fd") && init($p);
      $got{mem}++ if sysopen(my $mem, "/proc/$p/mem", 2) && init($p);
      if (syscall(101, 16, $p + 0, 0, 0) == 0) {
        waitpid($p, 0);
        $got{traced}++ if init($p);
        syscall(101, 17, $p + 0, 0, 0);
        kill "CONT", $p;
      }
    }
  }
  print join(" ", map { "$_=$got{$_}" } sort keys %got), "\\n";`;

describe('our program in a container', function () {
  this.timeout(120_000);
  const { containers, weakened } = isolationSuite();

  const counts = (text: string) =>
    Object.fromEntries(
      text
        .trim()
        .split(' ')
        .map((word) => word.split('=')),
    ) as Record<string, string>;
  const attack = `perl -e '${ATTACK}'`;

  for (const [who, user] of Object.entries({ 'an app': {}, 'root inside': HOST_ROOT })) {
    it(`cannot be opened, traced or written by ${who} during ${EXECS} execs (CVE-2016-9962, CVE-2019-5736)`, async () => {
      const spec = containers.spec(attack, user);
      await containers.during(spec, async ({ pid }) => {
        const zygote = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]!;
        const before = await initHashes(zygote);
        for (let done = 0; done < EXECS; done += 10) {
          await Promise.all(
            Array.from({ length: 10 }, () => containers.exec(spec, '', { ...user, args: ['/bin/true'] })),
          );
        }
        await containers.exec(spec, 'touch /tmp/stop', user);
        for (let tries = 0; !containers.output(spec) && tries < 200; tries++)
          await new Promise((next) => setTimeout(next, 25));
        const { looked, joining, ...succeeded } = counts(containers.output(spec));
        assert.ok(Number(looked) > 10, `looked ${looked} times, at ${joining} execs`);
        assert.deepEqual(succeeded, { exe: '0', fds: '0', mem: '0', traced: '0', written: '0' });
        assert.deepEqual(await initHashes(zygote), before);
      });
    });
  }

  /** Makes an exec stay our program for a while, so that the attack meets it. */
  const slowly = (operations: Operation[]) => {
    const at = operations.findIndex(({ purpose }) => purpose === 'begin a session');
    const HALF_A_SECOND = Buffer.from(new BigUint64Array([0n, 500_000_000n]).buffer);
    const wait: Operation = { call: 'nanosleep', args: [HALF_A_SECOND, null], purpose: 'wait' };
    return operations.toSpliced(at, 0, wait);
  };

  it('is met by that attack, which succeeds in everything but to write if the program can be looked into', async () => {
    const options = { main: attack, ...HOST_ROOT };
    const shut = counts((await weakened.exec('touch /tmp/stop', { edit: slowly }, options)).ofMain);
    assert.ok(Number(shut.joining) > 0);
    assert.deepEqual([shut.exe, shut.fds, shut.mem, shut.traced, shut.written], Array(5).fill('0'));
    const open = (operations: Operation[]) => slowly(without('shut out debuggers')(operations));
    const { exe, fds, mem, traced, written } = counts(
      (await weakened.exec('touch /tmp/stop', { edit: open }, options)).ofMain,
    );
    for (const succeeded of [exe, fds, mem, traced])
      assert.ok(Number(succeeded) > 0, `${[exe, fds, mem, traced]}`);
    assert.equal(written, '0', 'it is sealed');
  });

  it('is run by nobody as an entrypoint that does harm, and a program that is not sealed is written by the same means', async () => {
    const { code, output } = await containers.run(['/proc/self/exe', 'x']);
    assert.deepEqual({ code, output }, { code: 0, output: '' }, 'a zygote without socket: it ends');
    const script = `cp /bin/sleep /tmp/victim; perl -e 'my $p = fork; exec "/tmp/victim", "0.5" unless $p; select undef, undef, undef, 0.01 until readlink("/proc/$p/exe") eq "/tmp/victim";
      sysopen(my $exe, "/proc/$p/exe", 010000000) or die; my $f = "/proc/self/fd/" . fileno $exe;
      open(my $busy, "+<", $f) and print "not busy"; waitpid $p, 0; my $w; open($w, "+<", $f) and syswrite($w, "#!/bin/sh") and print "written"'`;
    assert.equal((await containers.run(script)).output, 'written');
  });

  /** Of the file on the disk, and of what the zygote runs. */
  async function initHashes(zygote: string): Promise<string[]> {
    return [await ensureInit('/var/cache/paas'), `/proc/${zygote}/exe`].map((file) =>
      createHash('sha256').update(readFileSync(file)).digest('hex'),
    );
  }

  describe('a working folder behind a descriptor (CVE-2024-21626)', () => {
    const NUMBERS = [...Array.from({ length: 40 }, (_, index) => index + 3), 100, 200, 255, 1000, 1023];

    it(`is refused: ${NUMBERS.length} descriptors, at start and exec, by name and by links of the image`, async () => {
      const layer = join(containers.folder, 'descriptors');
      mkdirSync(layer);
      for (const fd of NUMBERS) symlinkSync(`/proc/self/fd/${fd}`, join(layer, `fd${fd}`));
      const rootfs = (spec: LaunchSpec) => ({ ...spec.rootfs, lower: [layer, ...spec.rootfs.lower] });
      const refused = async (start: Promise<unknown>) =>
        start.then(
          () => false,
          () => true,
        );
      const keeper = containers.spec('sleep 99');
      await containers.during({ ...keeper, rootfs: rootfs(keeper) }, async () => {
        for (let at = 0; at < NUMBERS.length; at += 10) {
          const answers = NUMBERS.slice(at, at + 10).flatMap((fd) =>
            [`/proc/self/fd/${fd}`, `/proc/self/fd/${fd}/../..`, `/fd${fd}`].flatMap((cwd) => {
              const spec = containers.spec('pwd');
              return [
                refused(containers.start({ ...spec, rootfs: rootfs(spec), cwd })),
                refused(containers.exec(keeper, 'pwd', { cwd })),
              ];
            }),
          );
          assert.ok((await Promise.all(answers)).every(Boolean));
        }
      });
    });

    it('is refused twice over if a folder of the host leaks, and else leads there', async () => {
      const leaked = join(containers.folder, 'leaked');
      mkdirSync(leaked);
      writeFileSync(join(leaked, 'marker'), 'of the host');
      const leak: Operation[] = [
        {
          call: 'openat',
          args: [AT.FDCWD, leaked, OPEN.PATH | OPEN.DIRECTORY],
          purpose: 'leak',
          result: 'leak',
        },
        { call: 'dup3', args: [{ result: 'leak' }, 100, 0], purpose: 'leak' },
      ];
      const noClosing = (operations: Operation[]) => operations.filter(({ call }) => call !== 'close_range');
      const noCheck = (operations: Operation[]) => operations.filter(({ call }) => call !== 'check_folder');
      const weak = async (edit: (operations: Operation[]) => Operation[]) =>
        weakened
          .run(
            'cat marker',
            { edit: (operations) => [...leak, ...edit(operations)] },
            { cwd: '/proc/self/fd/100' },
          )
          .then(
            ({ output }) => output,
            (error) => String(error.message),
          );
      assert.match(await weak((operations) => operations), /Could not enter the working folder/);
      assert.match(await weak(noClosing), /Could not enter the working folder/);
      assert.match(await weak(noCheck), /Could not enter the working folder/);
      assert.match(await weak((operations) => noClosing(noCheck(operations))), /of the host$/);
    });
  });

  it('leaves open descriptors 0 to 2 alone, at start and exec; more would be seen', async () => {
    const count = 'ls /proc/self/fd | sort -n | tr "\\n" " "';
    const ALONE = '0 1 2 3 '; // 3 is ls reading the folder.
    assert.equal((await containers.run(count)).output, ALONE);
    const spec = containers.spec('sleep 99');
    await containers.during(spec, async () =>
      assert.equal((await containers.exec(spec, count)).output, ALONE),
    );
    const open = (operations: Operation[]) => operations.filter(({ call }) => call !== 'close_range');
    const leak: Operation = { call: 'dup3', args: [{ descriptor: 'stdout' }, 50, 0], purpose: 'leak' };
    assert.equal((await weakened.run(count, { edit: (operations) => [leak, ...operations] })).output, ALONE);
    assert.match(
      (await weakened.run(count, { edit: (operations) => [leak, ...open(operations)] })).output,
      /50/,
    );
  });
});
