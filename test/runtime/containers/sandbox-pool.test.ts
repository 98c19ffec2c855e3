import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { after, before, describe, it } from 'mocha';
import { Sandbox } from '../../../runtime/containers/sandbox.ts';
import { SandboxPool } from '../../../runtime/containers/sandbox-pool.ts';
import { AddressPool } from '../../../runtime/network/address-pool.ts';
import { Subnet } from '../../../runtime/network/subnet.ts';
import { openProcess } from '../../../runtime/syscall/processes.ts';
import { until } from '../../fixtures/until.ts';

describe('SandboxPool', () => {
  let pidfd: number;
  before(() => {
    pidfd = openProcess(process.pid);
  });
  after(() => closeSync(pidfd));

  /** One whose sandboxes are made, in the order in which they were begun, when `finish` is called for them. */
  function create() {
    const begun: { group: string; finish: () => void }[] = [];
    const discarded: string[] = [];
    const pool = new SandboxPool({
      addresses: new AddressPool({ subnet: new Subnet('10.1.2.0/24'), tag: 'abcdef', existing: [] }),
      make: (network) => {
        const { promise, resolve } = Promise.withResolvers<Sandbox>();
        const group = `group ${begun.length}`;
        const finish = () => resolve(new Sandbox({ ...PARTS, pidfd, group, network }));
        begun.push({ group, finish });
        return promise;
      },
      discardNetwork: () => {},
      discard: ({ group }) => discarded.push(group),
      bounds: { least: 2, most: 2 },
    });
    return { pool, begun, discarded };
  }

  it('drop() lets go of what is wrong, also of what is being made, and makes others', async () => {
    const { pool, begun, discarded } = create();
    pool.fill();
    await until(() => begun.length === 2);
    begun[0]!.finish();
    await new Promise(setImmediate);
    pool.drop(() => true);
    assert.deepEqual(discarded, ['group 0']);
    begun[1]!.finish();
    await until(() => begun.length === 4);
    assert.deepEqual(discarded, ['group 0', 'group 1']);
    // Those began afterwards.
    for (const { finish } of begun) finish();
    const taken = [await pool.take(() => true), await pool.take(() => true)];
    assert.deepEqual(taken.map(({ group }) => group).sort(), ['group 2', 'group 3']);
    assert.equal(discarded.length, 2);
  });

  it('drop() keeps nobody waiting who waits for what is being made', async () => {
    const { pool, begun, discarded } = create();
    const taken = pool.take(() => true);
    await until(() => begun.length === 1);
    pool.drop(({ group }) => group === 'group 0');
    begun[0]!.finish();
    await until(() => begun.length === 2);
    begun[1]!.finish();
    assert.equal((await taken).group, 'group 1');
    assert.deepEqual(discarded, ['group 0']);
  });
});

const PARTS = { pid: process.pid, startTime: '0', limits: {}, isBounded: true, root: undefined, socket: -1 };
