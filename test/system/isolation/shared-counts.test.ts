import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { keepErrorsOffConsole } from '../../../runtime/containers/kernel-messages.ts';
import type { Operation } from '../../../runtime/init/operation-list.ts';
import { MAX_TERMINALS } from '../../../runtime/syscall/terminals.ts';
import { isolationSuite } from './isolation-suite.ts';
import { ALLOW_ALL } from './weakened.ts';

const PRINTK = '/proc/sys/kernel/printk';
const INOTIFY_INIT = 253;
const IO_SETUP = 206;
const SETXATTR = 188;
const E2BIG = 7;
/** What the kernel gives to each user unless told otherwise. */
const INSTANCES = 128;
const AIO_EVENTS = 65_536;

const MB = 1 << 20;
/** Sends itself 270 MB, of which 60 to 180 KB fit into each socket, does not read them, and says so. */
const UNREAD = `perl -e 'use Socket; $| = 1; my $piece = "x" x 60000; socket(my $from, PF_INET, SOCK_DGRAM, 0);
  for (1..1500) {
    socket(my $to, PF_INET, SOCK_DGRAM, 0); bind($to, sockaddr_in(0, INADDR_LOOPBACK)); push @kept, $to;
    for (1..3) { send($from, $piece, 0, getsockname($to)) }
  }
  print "sent"; sleep 99'`;

/** Takes up to `count` of a thing, says how many it got, and keeps them for a while. */
const taking = (count: number, one: string) =>
  `perl -e '$| = 1; my @kept; my $got = 0; for my $n (1..${count}) { my $thing = ${one}; last unless $thing; push @kept, $thing; $got++ } print $got; sleep 99'`;

describe('what the kernel counts for each user or for all', () => {
  const { containers, weakened } = isolationSuite();

  /** How many a container gets, and how many of ten another gets meanwhile. */
  async function greedy(count: number, one: string): Promise<{ got: number; other: number }> {
    const spec = containers.spec(taking(count, one));
    return containers.during(spec, async () => {
      for (let tries = 0; containers.output(spec) === '' && tries < 200; tries++) await sleep(50);
      const { output } = await containers.run(taking(10, one).replace('sleep 99', ''));
      return { got: Number(containers.output(spec)), other: Number(output) };
    });
  }

  it('an app that watches a thousand folders at once leaves others theirs (inotify)', async () => {
    const { got, other } = await greedy(1000, `(syscall(${INOTIFY_INIT}) > 0)`);
    assert.ok(got > INSTANCES, `only ${got}: with the kernel's own limit others had none`);
    assert.equal(other, 10);
  });

  it('an app that wants to read and write beside its work without end leaves others that (io_setup)', async () => {
    const one = `(syscall(${IO_SETUP}, 128, my $context = pack("Q", 0)) == 0)`;
    const { got, other } = await greedy(1000, one);
    assert.ok(128 * got > AIO_EVENTS, `only ${got}: with the kernel's own limit others had none`);
    assert.equal(other, 10);
  });

  it('an app that sends itself what it does not read has no more memory than others (sockets)', async () => {
    const held = async (memory: number | undefined) => {
      const spec = containers.spec(UNREAD, { limits: { ...containers.spec('true').limits, memory } });
      const before = memoryOfDatagrams();
      return containers.during(spec, async () => {
        for (let tries = 0; containers.output(spec) === '' && tries < 200; tries++) await sleep(50);
        return memoryOfDatagrams() - before;
      });
    };
    assert.ok((await held(64 * MB)) < 64 * MB);
    assert.ok((await held(undefined)) > 100 * MB);
  });

  it('an app that gives empty files in memory long lists of who may use them has no more than 1 KB with each', async () => {
    // A list has 4 bytes, and 8 for each entry, of which four are always there.
    const listed = (users: number) =>
      `perl -e '$list = pack("L(SSL)*", 2, 1, 7, -1, (map { (2, 7, $_) } 1..${users}), 4, 7, -1, 16, 7, -1, 32, 7, -1);
        ($path, $name) = ("/dev/shm/x", "system.posix_acl_access"); open(F, ">", $path);
        print syscall(${SETXATTR}, $path, $name, $list, length($list), 0) ? 0 + $! : "done"'`;
    assert.equal((await containers.run(listed(59))).output, 'done');
    assert.equal((await containers.run(listed(60))).output, String(E2BIG));
    assert.equal((await weakened.run(listed(60), { filter: ALLOW_ALL })).output, 'done');
    const files = `perl -e '$n = 0; $n++ while open(F, ">", "/dev/shm/$n"); print $n'`;
    const { output } = await containers.run(files, { shmSize: 4 * MB });
    assert.ok(Number(output) < 2048 && Number(output) > 2000, `${output} files`);
  });

  it(`an app that takes all terminals has ${MAX_TERMINALS}, and others have theirs`, async () => {
    const one = 'do { my $file; open($file, "+<", "/dev/ptmx") ? $file : 0 }';
    assert.deepEqual(await greedy(1000, one), { got: MAX_TERMINALS, other: 10 });
    const without = (operations: Operation[]) =>
      operations.map((operation) => ({
        ...operation,
        args: operation.args.map((argument) =>
          typeof argument === 'string' ? argument.replace(/,max=\d+$/, '') : argument,
        ),
      }));
    const open = await weakened.run(taking(1000, one).replace('sleep 99', ''), { edit: without });
    assert.equal(open.output, '1000');
  });

  it('what apps make the kernel say, as at their end for want of memory, is not written to the console', () => {
    // Before runtimes of this machine there may have been a higher one.
    writeFileSync(PRINTK, '7');
    keepErrorsOffConsole();
    assert.equal(readFileSync(PRINTK, 'utf8').split('\t')[0], '3');
    writeFileSync(PRINTK, '1');
    keepErrorsOffConsole();
    assert.equal(readFileSync(PRINTK, 'utf8').split('\t')[0], '1');
    writeFileSync(PRINTK, '3');
  });
});

/** Bytes that all UDP sockets of the machine hold. */
function memoryOfDatagrams(): number {
  const pages = /^UDP: .* mem (\d+)/m.exec(readFileSync('/proc/net/sockstat', 'latin1'))![1];
  return Number(pages) * 4096;
}
