import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseLimitChanges, parseLimits } from '../../../../runtime/containers/request/limits-request.ts';
import type { Machine } from '../../../../runtime/containers/request/machine.ts';
import { parseProcessLimits } from '../../../../runtime/containers/request/process-limits-request.ts';
import { parseTmpfsMounts } from '../../../../runtime/containers/request/tmpfs-request.ts';
import { RequestFields } from '../../../../runtime/containers/request-fields.ts';

const MACHINE: Machine = {
  cpus: 4,
  memory: 8 * 1024 ** 3,
  hardLimits: { nofile: 1000, nproc: Number.POSITIVE_INFINITY, core: 0 },
};
const MB = 1024 ** 2;

describe('parseLimits()', () => {
  const parse = (body: object) => parseLimits(new RequestFields(body), MACHINE);

  it('parseLimits() limits processes even if nobody asks', () => {
    assert.equal(parse({}).PidsLimit, 512);
    assert.equal(parse({ PidsLimit: null }).PidsLimit, 512);
    assert.equal(parse({ PidsLimit: -1 }).PidsLimit, -1);
  });

  const right: object[] = [
    { Memory: 6 * MB, MemorySwap: -1, MemoryReservation: 6 * MB },
    { Memory: 64 * MB, MemorySwap: 64 * MB },
    { NanoCpus: 4e9 },
    { CpuPeriod: 1000, CpuQuota: -1 },
    { CpuShares: 2 },
    { CpusetCpus: '0-2,3', CpusetMems: '0' },
    { BlkioWeight: 1000 },
  ];
  for (const body of right) {
    it(`parseLimits() takes ${JSON.stringify(body)} as it is`, () => {
      assert.deepEqual({ ...parse({}), ...body }, parse(body));
    });
  }

  const wrong: object[] = [
    ...[-1, 1, 6 * MB - 1, 2 ** 53, 1.5, '5', Number.NaN].map((Memory) => ({ Memory })),
    ...[-2, 5].map((MemorySwap) => ({ MemorySwap })),
    { Memory: 64 * MB, MemorySwap: 63 * MB },
    { Memory: 64 * MB, MemoryReservation: 65 * MB },
    ...[-1, 5e9].map((NanoCpus) => ({ NanoCpus })),
    ...[-1, 999, 1_000_001].map((CpuPeriod) => ({ CpuPeriod })),
    ...[-2, 999, 5_000_000].map((CpuQuota) => ({ CpuQuota })),
    { NanoCpus: 1e9, CpuPeriod: 5000 },
    ...[-1, 1, 262_145].map((CpuShares) => ({ CpuShares })),
    ...['4', '3-1', '1,', 'x', '-1', '0-', '0;1', '99999999'].map((CpusetCpus) => ({ CpusetCpus })),
    ...[-2, 5e6].map((PidsLimit) => ({ PidsLimit })),
    ...[-1, 9, 1001].map((BlkioWeight) => ({ BlkioWeight })),
  ];
  for (const body of wrong) {
    it(`parseLimits() refuses ${JSON.stringify(body)}`, () => {
      assert.throws(() => parse(body), { code: 'invalid' });
    });
  }
});

describe('parseLimitChanges()', () => {
  const current = parseLimits(new RequestFields({ Memory: 64 * MB, NanoCpus: 1e9 }), MACHINE);
  const change = (body: object) => parseLimitChanges(new RequestFields(body), MACHINE, current);

  it('parseLimitChanges() changes what is said, and leaves the rest', () => {
    assert.deepEqual(change({ PidsLimit: 9, Memory: 0, CpuShares: null }), { ...current, PidsLimit: 9 });
    assert.deepEqual(change({ Memory: 128 * MB }), { ...current, Memory: 128 * MB });
  });

  it('parseLimitChanges() looks at all of them together', () => {
    assert.throws(() => change({ CpuQuota: 5000 }), { code: 'invalid' });
    assert.throws(() => change({ MemoryReservation: 65 * MB }), { code: 'invalid' });
  });
});

describe('parseProcessLimits()', () => {
  const parse = (body: object) => parseProcessLimits(new RequestFields(body), MACHINE);

  it('parseProcessLimits() gives nobody more than we have', () => {
    const ulimit = (Name: string, Soft: number, Hard: number) => ({ Ulimits: [{ Name, Soft, Hard }] });
    assert.deepEqual(parse(ulimit('nofile', 10, 1000)).Ulimits, [{ Name: 'nofile', Soft: 10, Hard: 1000 }]);
    assert.equal(parse(ulimit('nproc', -1, -1)).Ulimits[0]?.Hard, -1);
    for (const wrong of [
      ulimit('nofile', 10, 1001),
      ulimit('nofile', 10, -1),
      ulimit('nofile', 11, 10),
      ulimit('nofile', -1, 10),
      ulimit('core', 0, 1),
      ulimit('__proto__', 1, 1),
      ulimit('nofile', -2, 5),
      { Ulimits: [5] },
      { Ulimits: {} },
    ]) {
      assert.throws(() => parse(wrong), { code: 'invalid' }, JSON.stringify(wrong));
    }
  });

  it('parseProcessLimits() takes settings of the kernel that are the container’s own', () => {
    const sysctl = (name: string, value = '1') => parse({ Sysctls: { [name]: value } }).Sysctls;
    for (const name of ['net.ipv4.ip_forward', 'kernel.shmmax', 'fs.mqueue.msg_max']) {
      assert.deepEqual(sysctl(name), { [name]: '1' });
    }
    for (const name of [
      ...['kernel.core_pattern', 'kernel.modprobe', 'vm.overcommit_memory', 'fs.file-max', 'kernel.hostname'],
      ...['net..ipv4', 'net.ipv4.', 'net/../kernel/core_pattern', 'net.ipv4\u0000', 'net.a b', ''],
    ]) {
      assert.throws(() => sysctl(name), { code: 'invalid' }, name);
    }
    for (const value of ['', 'a\nb', 'x'.repeat(300)]) {
      assert.throws(() => sysctl('net.core.somaxconn', value), { code: 'invalid' }, value);
    }
  });

  it('parseProcessLimits() lets a container only be the first to go', () => {
    assert.equal(parse({ OomScoreAdj: 1000 }).OomScoreAdj, 1000);
    for (const OomScoreAdj of [-1, -1000, 1001])
      assert.throws(() => parse({ OomScoreAdj }), { code: 'invalid' });
  });
});

describe('parseTmpfsMounts()', () => {
  const parse = (target: string, options: string) =>
    parseTmpfsMounts(new RequestFields({ Tmpfs: { [target]: options } }), MACHINE).Tmpfs;

  it('parseTmpfsMounts() takes what docker run --tmpfs takes', () => {
    for (const options of ['', 'rw,noexec,nosuid,size=65536k', 'size=4g,mode=0700,uid=5,gid=6,exec,ro']) {
      assert.deepEqual(parse('/run', options), { '/run': options });
    }
  });

  it('parseTmpfsMounts() refuses other places and options, and more than half of the memory', () => {
    for (const target of ['/', '//', '/proc', '/proc/x', '/dev/shm', '/sys/', 'run', '/a/../b', '/./a']) {
      assert.throws(() => parse(target, ''), { code: 'invalid' }, target);
    }
    for (const options of [
      'suid',
      'dev',
      'size=5g',
      'size=0',
      'size=-1',
      'mode=9',
      'uid=-1',
      'size',
      'x=y',
    ]) {
      assert.throws(() => parse('/run', options), { code: 'invalid' }, options);
    }
  });
});
