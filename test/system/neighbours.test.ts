import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { ATTACKER_LIMITS, ATTACKS, startApp, Visitor } from '../fixtures/neighbours.ts';
import { BASE, EngineProcess, missingForContainers } from './engine-process.ts';
import { DOCKER } from './engine-suite.ts';

const ATTACK_MILLISECONDS = 1500;
/** Two log files, the raw file that is read behind the app, and the disk of the container. */
const MAX_DISK = (2 * 9 + 64 + 64) * 1024 ** 2;

/** A terminal, a pipe and a watch on files (inotify_init1), as shells and development servers need. */
const OTHERS_NEEDS = `open(T, "+<", "/dev/ptmx") or die "terminal: $!"; pipe(R, W) or die "pipe: $!";
  syscall(294, 0) >= 0 or die "inotify: $!"; print "works\\n"`;

describe('the neighbour of an app that wants everything', function () {
  this.timeout(120_000);
  let engine: EngineProcess;
  let address: string;

  before(async function () {
    if (missingForContainers() || !existsSync(DOCKER)) return this.skip();
    engine = new EngineProcess();
    await engine.start();
    address = await startApp(engine.docker, BASE);
    const visitor = new Visitor(address, { perSecond: 50 });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await visitor.stop();
  });

  after(() => engine?.remove());

  for (const { name, script } of ATTACKS) {
    it(`answers every request: ${name}`, async () => {
      const attacker = await engine.docker.createContainer({
        Image: BASE,
        Cmd: ['bash', '-c', script],
        HostConfig: ATTACKER_LIMITS,
      });
      await attacker.start();
      const visitor = new Visitor(address, { perSecond: 50 });
      await new Promise((resolve) => setTimeout(resolve, ATTACK_MILLISECONDS));
      const stats = await attacker.stats({ stream: false });
      const other = await engine.client('run', '--rm', BASE, 'perl', '-e', OTHERS_NEEDS);
      await visitor.stop();
      const used = diskUse(attacker.id);
      await attacker.remove({ force: true });
      assert.deepEqual(visitor.errors, []);
      assert.ok(visitor.milliseconds.length > 10);
      // Others can still be started, and get what the kernel has for all.
      assert.deepEqual([other.stdout, other.stderr], ['works\n', '']);
      assert.ok(stats.pids_stats!.current! <= ATTACKER_LIMITS.PidsLimit);
      assert.ok(stats.memory_stats.usage <= ATTACKER_LIMITS.Memory);
      assert.ok(used < MAX_DISK, `${used} bytes on the disk`);
    });
  }

  it('control: an app that does not answer is noticed', async () => {
    let errors: string[] = [];
    // On a slow machine a visitor takes its time to set out.
    for (let wait = 100; errors.length === 0 && wait < 20_000; wait *= 3) {
      const visitor = new Visitor('127.0.0.1', { perSecond: 50 });
      await new Promise((resolve) => setTimeout(resolve, wait));
      await visitor.stop();
      errors = visitor.errors;
    }
    assert.ok(errors.length > 0);
  });

  /** Of the container's own folder and its raw output. */
  function diskUse(id: string): number {
    const runtime = join(engine.root, 'data', 'runtime');
    const args = ['-sc', '--block-size=1', join(runtime, 'containers', id), join(runtime, 'output')];
    return Number(execFileSync('du', args, { encoding: 'utf8' }).trim().split('\n').at(-1)!.split('\t')[0]);
  }
});
