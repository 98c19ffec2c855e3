import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, before, beforeEach, describe, it } from 'mocha';
import { instanceTag } from '../../runtime/containers/instance-tag.ts';
import { LinuxKernel } from '../../runtime/containers/linux-kernel.ts';
import { refuseSharedSubnet, removeDeadInstances } from '../../runtime/containers/other-instances.ts';
import { testSubnet } from '../fixtures/test-subnet.ts';
import { until } from '../fixtures/until.ts';
import { EngineProcess, missingForContainers } from './engine-process.ts';
import { KernelFixture } from './kernel-fixture.ts';

describe('removeDeadInstances()', function () {
  this.timeout(60_000);
  let containers: KernelFixture;
  let instances: string;

  before(function () {
    if (missingForContainers()) this.skip();
  });
  beforeEach(async () => {
    containers = new KernelFixture();
    instances = `${containers.folder}-instances`;
    containers.options.instances = instances;
    await containers.open();
  });
  afterEach(async () => {
    await containers.close();
    execFileSync('rm', ['-rf', instances]);
  });

  const removeDead = () =>
    removeDeadInstances(({ run, subnet }, claim) => LinuxKernel.remove({ run, subnet }, claim), instances);
  const traces = () => tracesOf(containers.folder, containers.options.subnet);

  it('takes away what an instance left, when its runtime and its containers have ended, and not before', async () => {
    const spec = containers.spec('sleep 99', { network: 'nat' });
    const { pid } = await containers.start(spec);
    assert.deepEqual(await removeDead(), [], 'its runtime runs');
    await containers.kernel.close(); // as a kill does
    assert.deepEqual(await removeDead(), [], 'a container runs');
    assert.deepEqual(traces(), ['control group', 'firewall', 'route']);
    process.kill(pid, 'SIGKILL');
    await until(() => !existsSync(`/proc/${pid}`), { seconds: 10 });
    assert.deepEqual(await removeDead(), [containers.folder]);
    assert.deepEqual(traces(), []);
    assert.deepEqual(readdirSync(instances), []);
  });

  it('makes nothing of an instance that is only looked at', async () => {
    const run = join(containers.folder, 'gone');
    mkdirSync(run);
    const { subnet } = containers.options;
    writeFileSync(join(instances, instanceTag(run)), JSON.stringify({ run, subnet }));
    await refuseSharedSubnet({ run: containers.folder, subnet }, instances);
    assert.ok(!tracesOf(run, subnet).includes('control group'));
    rmSync(join(instances, instanceTag(run)));
  });

  it('ends containers whose records are gone: nobody could take them up', async () => {
    const { pid } = await containers.start(containers.spec('sleep 99', { network: 'nat' }));
    await containers.kernel.close();
    renameSync(containers.folder, `${containers.folder}-moved`);
    try {
      assert.deepEqual(await removeDead(), [containers.folder]);
      assert.ok(!existsSync(`/proc/${pid}`));
      assert.deepEqual(traces(), []);
    } finally {
      renameSync(`${containers.folder}-moved`, containers.folder);
    }
  });

  it('does nothing for a note that was cut off, and a second runtime is refused by the lock', async () => {
    writeFileSync(join(instances, '0123ab'), '{"run": "/else');
    assert.deepEqual(await removeDead(), []);
    assert.deepEqual(readdirSync(instances), [instanceTag(containers.folder)]);
    await assert.rejects(LinuxKernel.open(containers.options), {
      code: 'conflict',
      message: /Stop it first/,
    });
  });

  it('is called by every runtime that starts', async () => {
    const [killed, next] = (['first instance', 'second instance'] as const).map(
      (user) => new EngineProcess(testSubnet(user)),
    );
    await killed!.start();
    await killed!.end('SIGKILL');
    await next!.start();
    try {
      await until(() => tracesOf(join(killed!.root, 'run'), killed!.subnet).length === 0, { seconds: 10 });
    } finally {
      await next!.remove();
      execFileSync('rm', ['-rf', killed!.root]);
    }
  });
});

describe('a second instance on the machine', function () {
  this.timeout(60_000);
  const common = testSubnet('first instance', 23);

  before(function () {
    if (missingForContainers()) this.skip();
  });

  it('is refused while another has addresses of its subnet, and starts when that one is dead', async () => {
    const first = new EngineProcess(common);
    const second = new EngineProcess(common.replace('/23', '/24'));
    await first.start();
    try {
      const { status, stderr } = second.startSecond();
      assert.notEqual(status, 0);
      assert.ok(stderr.includes(`"${join(first.root, 'run')}". Set another, e.g. PAAS_SUBNET=`), stderr);
      await first.end('SIGKILL');
      await second.start();
    } finally {
      await second.remove();
      await first.end('SIGKILL');
      execFileSync('rm', ['-rf', first.root]);
    }
  });
});

/** What of an instance is in the kernel, in words. */
function tracesOf(run: string, subnet: string): string[] {
  const tag = instanceTag(run);
  const output = (...argv: [string, ...string[]]) =>
    // find(1) complains of what vanishes meanwhile, which is what these tests wait for.
    spawnSync(argv[0], argv.slice(1), { encoding: 'utf8' }).stdout;
  return [
    output('find', '/sys/fs/cgroup', '-name', `paas-${tag}`) && 'control group',
    output('nft', 'list', 'tables').includes(tag) && 'firewall',
    output('ip', 'route').includes(`unreachable ${subnet}`) && 'route',
  ].filter((trace) => typeof trace === 'string' && trace !== '') as string[];
}
