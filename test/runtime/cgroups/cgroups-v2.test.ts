import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { CgroupsV2 } from '../../../runtime/cgroups/cgroups-v2.ts';

/** What a group has as files; the kernel makes them, here the test does. */
const FILES = [
  ...['cgroup.procs', 'cgroup.freeze', 'cgroup.events', 'cgroup.kill', 'cgroup.subtree_control'],
  ...['memory.max', 'memory.swap.max', 'memory.low', 'memory.current', 'memory.peak', 'memory.stat'],
  ...['memory.events', 'pids.max', 'pids.current', 'cpu.max', 'cpu.weight', 'cpu.stat'],
  ...['cpuset.cpus', 'cpuset.mems', 'io.weight', 'io.stat'],
];

/** Over plain files in the place of the kernel's: which are written with what, and how they are read. */
describe('CgroupsV2', () => {
  let root: string;
  let cgroups: CgroupsV2;

  const write = (group: string, file: string, text: string) => writeFileSync(join(root, group, file), text);
  /** A write replaces the begin of a plain file; the kernel takes it as a whole. */
  const written = (group: string, file: string) => readFileSync(join(root, group, file), 'latin1');

  function makeGroup(group: string, files: string[]): void {
    mkdirSync(join(root, group), { recursive: true });
    for (const file of files) write(group, file, '');
  }

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'paas-cgroups-'));
    makeGroup('', ['cgroup.controllers', 'cgroup.subtree_control']);
    write('', 'cgroup.controllers', 'cpuset cpu io memory hugetlb pids rdma\n');
    for (const group of ['paas-x', 'paas-x/one']) makeGroup(group, FILES);
    cgroups = new CgroupsV2('paas-x', root);
  });

  afterEach(() => rmSync(root, { recursive: true }));

  it('lets its groups use the controllers that it needs, and those of the others that there are', () => {
    assert.match(written('', 'cgroup.subtree_control'), /^\+io/);
    assert.match(written('paas-x', 'cgroup.subtree_control'), /^\+io/);
    assert.deepEqual(cgroups.features, { swap: true, cpuset: true, ioWeight: true });
    write('', 'cgroup.controllers', 'cpu memory pids\n');
    write('', 'cgroup.subtree_control', '');
    for (const file of ['memory.swap.max', 'cpuset.cpus', 'io.weight']) rmSync(join(root, 'paas-x', file));
    const poorer = new CgroupsV2('paas-x', root);
    assert.deepEqual(poorer.features, { swap: false, cpuset: false, ioWeight: false });
    assert.match(written('', 'cgroup.subtree_control'), /^\+cpu(?!set)/);
  });

  it('groupsOf() finds containers’ groups, without the zygote’s, and makes none', () => {
    makeGroup('paas-x/zygote', FILES);
    write('paas-x/one', 'cgroup.procs', '12\n');
    const found = CgroupsV2.groupsOf('paas-x', root).map((group) => group.processes());
    assert.deepEqual(found, [[12]]);
    assert.deepEqual(CgroupsV2.groupsOf('paas-y', root), []);
    assert.ok(!existsSync(join(root, 'paas-y')));
  });

  it('setLimits() writes limits itself, and leaves out what the kernel does not have and what a new group has', () => {
    assert.deepEqual(cgroups.enter('two'), []);
    makeGroup(
      'paas-x/two',
      FILES.filter((file) => file !== 'memory.swap.max'),
    );
    assert.deepEqual(cgroups.setLimits('two', {}, {}), []);
    for (const file of FILES.filter((name) => name !== 'memory.swap.max'))
      assert.equal(written('paas-x/two', file), '', file);
    const limits = { memory: 1000, memorySwap: 1000, nanoCpus: 5e8, pids: 9, ioWeight: 10 };
    assert.deepEqual(cgroups.setLimits('two', limits, {}), []);
    const files = ['memory.max', 'pids.max', 'cpu.max', 'io.weight'];
    assert.deepEqual(
      files.map((file) => written('paas-x/two', file)),
      ['1000', '9', '50000 100000', '1'],
    );
  });

  it('setLimits() of a group that was given limits in advance writes what differs', () => {
    cgroups.enter('three');
    makeGroup('paas-x/three', FILES);
    const before = { memory: 1000, nanoCpus: 5e8, pids: 9 };
    cgroups.setLimits('three', { memory: 1000, nanoCpus: 5e8, ioWeight: 10 }, before);
    assert.deepEqual(
      ['memory.max', 'memory.swap.max', 'pids.max', 'cpu.max', 'io.weight'].map((file) =>
        written('paas-x/three', file),
      ),
      ['', '', 'max', '', '1'],
    );
    cgroups.setLimits('three', {}, before);
    assert.deepEqual(
      ['memory.max', 'memory.swap.max', 'cpu.max'].map((file) => written('paas-x/three', file)),
      ['max', 'max', 'max 100000'],
    );
  });

  it('update() refuses less memory than is used without the cache of files', () => {
    write('paas-x/one', 'memory.current', '900000\n');
    write('paas-x/one', 'memory.stat', 'anon 500000\nfile 400000\n');
    assert.throws(() => cgroups.update('one', { memory: 499_999 }), { code: 'conflict' });
    assert.equal(written('paas-x/one', 'memory.max'), '');
    cgroups.update('one', { memory: 600_000 });
    assert.equal(written('paas-x/one', 'memory.max'), '600000');
  });

  it('freeze() waits until the kernel says that all stand still', async () => {
    write('paas-x/one', 'cgroup.events', 'populated 1\nfrozen 0\n');
    let isFrozen = false;
    const freezing = cgroups.freeze('one').then(() => {
      isFrozen = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual([written('paas-x/one', 'cgroup.freeze'), isFrozen], ['1', false]);
    write('paas-x/one', 'cgroup.events', 'populated 1\nfrozen 1\n');
    await freezing;
    assert.equal(cgroups.adopt('one'), true);
    cgroups.thaw('one');
    assert.equal(cgroups.adopt('one'), false);
  });

  it('kill() and processes() are of the whole group', () => {
    write('paas-x/one', 'cgroup.procs', '12\n34\n');
    assert.deepEqual(cgroups.processes('one'), [12, 34]);
    cgroups.kill('one');
    assert.equal(written('paas-x/one', 'cgroup.kill'), '1');
  });

  it('stats() and oomKills() read the figures in bytes and nanoseconds', () => {
    const figures: Record<string, string> = {
      'memory.current': '5000\n',
      'memory.peak': '6000\n',
      'memory.max': 'max\n',
      'memory.stat': 'anon 1\ninactive_file 2\n',
      'memory.events': 'low 0\nmax 3\noom 1\noom_kill 2\n',
      'pids.current': '4\n',
      'pids.max': '512\n',
      'cpu.stat':
        'usage_usec 30\nuser_usec 20\nsystem_usec 10\nnr_periods 5\nnr_throttled 2\nthrottled_usec 7\n',
      'io.stat':
        '8:0 rbytes=10 wbytes=20 rios=1 wios=2 dbytes=0 dios=0\n253:16 rbytes=1 wbytes=0 rios=1 wios=0\n',
    };
    for (const [file, text] of Object.entries(figures)) write('paas-x/one', file, text);
    assert.deepEqual(cgroups.stats('one'), {
      memory: {
        usage: 5000,
        peak: 6000,
        limit: Number.POSITIVE_INFINITY,
        failures: 3,
        details: { anon: 1, inactive_file: 2 },
      },
      pids: { current: 4, limit: 512 },
      cpu: {
        ...{ total: 30_000, user: 20_000, kernel: 10_000, perCpu: [] },
        ...{ periods: 5, throttledPeriods: 2, throttled: 7000 },
      },
      io: [
        { major: 8, minor: 0, operation: 'read', bytes: 10, requests: 1 },
        { major: 8, minor: 0, operation: 'write', bytes: 20, requests: 2 },
        { major: 253, minor: 16, operation: 'read', bytes: 1, requests: 1 },
        { major: 253, minor: 16, operation: 'write', bytes: 0, requests: 0 },
      ],
    });
    assert.equal(cgroups.oomKills('one'), 2);
  });

  it('list() knows containers, and not the zygote', () => {
    makeGroup('paas-x/zygote', FILES);
    cgroups.adoptZygote(77);
    assert.equal(written('paas-x/zygote', 'cgroup.procs'), '77');
    assert.deepEqual(cgroups.list(), ['one']);
  });
});
