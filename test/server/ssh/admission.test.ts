import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { describe, it } from 'mocha';
import { Admission, addressGroup, DEFAULT_LIMITS } from '../../../server/ssh/admission.ts';

class FakeSocket extends EventEmitter {
  destroyed = false;
  remoteAddress: string;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

const arrival = (address: string) => new FakeSocket(address) as FakeSocket & Socket;
const small = {
  ...DEFAULT_LIMITS,
  strangers: 6,
  strangersPerAddress: 3,
  connections: 8,
  connectionsPerAddress: 5,
};

describe('Admission.admit()', () => {
  it('lets the oldest stranger of an address give way to the newest', () => {
    const admission = new Admission(small);
    const arrivals = Array.from({ length: 5 }, () => arrival('192.0.2.1'));
    for (const socket of arrivals) assert.ok(admission.admit(socket));
    assert.deepEqual(
      arrivals.map(({ destroyed }) => destroyed),
      [true, true, false, false, false],
    );
    admission.closeAll();
  });

  it('lets the oldest stranger of all give way where there are too many addresses', () => {
    const admission = new Admission(small);
    const arrivals = Array.from({ length: 7 }, (_, index) => arrival(`192.0.2.${index}`));
    for (const socket of arrivals) assert.ok(admission.admit(socket));
    assert.equal(arrivals.filter(({ destroyed }) => destroyed).length, 1);
    assert.ok(arrivals[0]!.destroyed);
    admission.closeAll();
  });

  it('never ends a signed-in connection, and refuses when there is no room left', () => {
    const admission = new Admission(small);
    const members = Array.from({ length: 5 }, () => arrival('192.0.2.1'));
    for (const socket of members) {
      assert.ok(admission.admit(socket));
      admission.signedIn(socket);
    }
    const late = arrival('192.0.2.1');
    assert.equal(admission.admit(late), false);
    assert.ok(late.destroyed);
    assert.ok(members.every(({ destroyed }) => !destroyed));
    assert.ok(admission.admit(arrival('192.0.2.2')));
    admission.closeAll();
    assert.equal(admission.size, 0);
  });
});

describe('Admission.failed()', () => {
  it('slows an address that fails again and again, and no other', () => {
    const admission = new Admission(DEFAULT_LIMITS);
    const delays = Array.from({ length: 100 }, () => admission.failed(arrival('192.0.2.1')));
    assert.deepEqual(delays.slice(0, 8), [0, 0, 0, 0, 0, 0, 100, 200]);
    assert.equal(delays.at(-1), 3000);
    assert.equal(admission.failed(arrival('192.0.2.2')), 0);
  });
});

describe('addressGroup()', () => {
  it('takes an IPv6 /64 and a mapped IPv4 address as one', () => {
    assert.equal(addressGroup('2001:db8:1:2:aaaa::1'), addressGroup('2001:db8:1:2::ffff'));
    assert.notEqual(addressGroup('2001:db8:1:2::1'), addressGroup('2001:db8:1:3::1'));
    assert.equal(addressGroup('2001:db8::1'), addressGroup('2001:db8::2'));
    assert.equal(addressGroup('fe80::1%eth0'), addressGroup('fe80::2'));
    assert.equal(addressGroup('::ffff:192.0.2.1'), '192.0.2.1');
    assert.equal(addressGroup('::1'), addressGroup('::2'));
    assert.equal(addressGroup(undefined), '');
  });
});
