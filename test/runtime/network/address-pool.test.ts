import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { AddressPool } from '../../../runtime/network/address-pool.ts';
import { Subnet } from '../../../runtime/network/subnet.ts';

const pool = (existing: string[] = []) =>
  new AddressPool({ subnet: new Subnet('10.1.2.0/24'), tag: 'abcdef', existing });

describe('AddressPool', () => {
  it('take() gives every address once, then none', () => {
    const addresses = pool();
    const taken = Array.from({ length: 254 }, () => addresses.take());
    assert.equal(new Set(taken.map(({ address }) => address)).size, 254);
    assert.ok(taken.every(({ name }) => name.length <= 15));
    assert.throws(() => addresses.take(), /All 254 addresses of 10.1.2.0\/24 are taken/);
  });

  it('take() leaves alone what exists in the kernel', () => {
    const addresses = pool(['vabcdef-1', 'vabcdef-fe', 'v000000-2', 'eth0']);
    const taken = Array.from({ length: 252 }, () => addresses.take().address);
    assert.ok(!taken.includes('10.1.2.1') && !taken.includes('10.1.2.254'));
    assert.ok(taken.includes('10.1.2.2'));
  });

  it('take() gives a freed address again as late as possible', () => {
    const addresses = pool();
    const first = addresses.take();
    addresses.free(first.name);
    const others = Array.from({ length: 253 }, () => addresses.take().address);
    assert.ok(!others.includes(first.address));
    assert.equal(addresses.take().address, first.address);
  });

  it('claim() is the name that take() gave', () => {
    const addresses = pool();
    const { address, name } = addresses.take();
    assert.equal(addresses.claim(address), name);
    assert.deepEqual(addresses.interfaces(), [name]);
  });

  it('take() leaves alone what was claimed, until that is freed', () => {
    const addresses = pool();
    const { address } = pool().take();
    const name = addresses.claim(address);
    const others = Array.from({ length: 253 }, () => addresses.take().address);
    assert.ok(!others.includes(address));
    addresses.free(name);
    assert.equal(addresses.take().address, address);
  });
});

describe('Subnet', () => {
  it('begins at the network’s address, whatever was written', () => {
    const subnet = new Subnet('172.30.7.9/16');
    assert.equal(subnet.cidr, '172.30.0.0/16');
    assert.equal(subnet.address(1), '172.30.0.1');
    assert.equal(subnet.address(256), '172.30.1.0');
    assert.equal(subnet.capacity, 65_534);
  });
});
