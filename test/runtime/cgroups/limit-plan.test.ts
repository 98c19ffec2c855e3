import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { planLimitsV1, planLimitsV2 } from '../../../runtime/cgroups/limit-plan.ts';
import type { Limits } from '../../../runtime/containers/kernel.ts';

const ALL: Limits = {
  memory: 100,
  memorySwap: 150,
  memoryReservation: 50,
  cpuQuota: 20_000,
  cpuPeriod: 50_000,
  cpuShares: 1024,
  cpus: '0-1',
  memoryNodes: '0',
  pids: 7,
  ioWeight: 500,
};
const NONE = { memory: Number.POSITIVE_INFINITY, memoryAndSwap: Number.POSITIVE_INFINITY };

const lines = (writes: { file: string; value: string | number }[]) =>
  writes.map(({ file, value }) => `${file} ${value}`);

describe('planLimitsV2()', () => {
  it('planLimitsV2() writes every limit in the words of the unified hierarchy', () => {
    assert.deepEqual(lines(planLimitsV2(ALL)), [
      'memory.max 100',
      'memory.swap.max 50',
      'memory.low 50',
      'pids.max 7',
      'cpu.max 20000 50000',
      'cpu.weight 39',
      'cpuset.cpus 0-1',
      'cpuset.mems 0',
      'io.bfq.weight 500',
      'io.weight 4950',
    ]);
  });

  it('planLimitsV2() takes limits away that are not asked for any more', () => {
    const writes = ['memory.max max', 'memory.swap.max max', 'pids.max max', 'cpu.max max 100000'];
    assert.deepEqual(lines(planLimitsV2({})), writes);
  });

  it('planLimitsV2() gives as much swap as memory, none, or all there is', () => {
    const swap = (limits: Limits) =>
      planLimitsV2(limits).find(({ file }) => file === 'memory.swap.max')?.value;
    assert.equal(swap({ memory: 100 }), 100);
    assert.equal(swap({ memory: 100, memorySwap: 100 }), 0);
    assert.equal(swap({ memory: 100, memorySwap: -1 }), 'max');
  });

  it('planLimitsV2() leaves out what not every kernel has', () => {
    const optional = planLimitsV2(ALL).filter((write) => write.optional);
    assert.deepEqual(
      optional.map(({ file }) => file),
      ['memory.swap.max', 'io.bfq.weight', 'io.weight'],
    );
  });
});

describe('planLimitsV1()', () => {
  const memory = (limits: Limits, now: typeof NONE) =>
    lines(planLimitsV1(limits, now).filter(({ controller }) => controller === 'memory'));

  it('planLimitsV1() writes every limit in its hierarchy', () => {
    const writes = planLimitsV1(ALL, NONE).map(
      ({ controller, file, value }) => `${controller}: ${file} ${value}`,
    );
    assert.deepEqual(writes, [
      'memory: memory.limit_in_bytes 100',
      'memory: memory.memsw.limit_in_bytes 150',
      'memory: memory.kmem.tcp.limit_in_bytes 25',
      'memory: memory.soft_limit_in_bytes 50',
      'pids: pids.max 7',
      'cpu: cpu.cfs_period_us 50000',
      'cpu: cpu.cfs_quota_us 20000',
      'cpu: cpu.shares 1024',
      'cpuset: cpuset.cpus 0-1',
      'cpuset: cpuset.mems 0',
      'blkio: blkio.bfq.weight 500',
      'blkio: blkio.weight 500',
    ]);
  });

  it('planLimitsV1() keeps memory within memory and swap at every moment', () => {
    const [less, more] = [{ memory: 100 }, { memory: 300 }];
    assert.deepEqual(memory(more, { memory: 100, memoryAndSwap: 200 }), [
      'memory.memsw.limit_in_bytes 600',
      'memory.limit_in_bytes 300',
      'memory.kmem.tcp.limit_in_bytes 75',
    ]);
    assert.deepEqual(memory(less, { memory: 300, memoryAndSwap: 600 }), [
      'memory.limit_in_bytes 100',
      'memory.memsw.limit_in_bytes 200',
      'memory.kmem.tcp.limit_in_bytes 25',
    ]);
    assert.deepEqual(memory({}, { memory: 300, memoryAndSwap: 600 }), [
      'memory.memsw.limit_in_bytes -1',
      'memory.limit_in_bytes -1',
      'memory.kmem.tcp.limit_in_bytes -1',
    ]);
  });

  it('planLimitsV1() leaves a new group without limits as it is', () => {
    assert.deepEqual(memory({}, NONE), []);
    assert.deepEqual(lines(planLimitsV1({}, NONE)), [
      'pids.max max',
      'cpu.cfs_period_us 100000',
      'cpu.cfs_quota_us -1',
    ]);
  });
});
