import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { keepErrorsOffConsole } from '../../../runtime/containers/kernel-messages.ts';
import type { Operation } from '../../../runtime/init/operation-list.ts';
import { MAX_TERMINALS } from '../../../runtime/syscall/terminals.ts';
import { isolationSuite } from './isolation-suite.ts';

const PRINTK = '/proc/sys/kernel/printk';
const INOTIFY_INIT = 253;
/** What the kernel gives to each user unless told otherwise. */
const INSTANCES = 128;

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
