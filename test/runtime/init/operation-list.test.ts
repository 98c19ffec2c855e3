import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { encodeOperations, type Operation } from '../../../runtime/init/operation-list.ts';

const LIST_ADDRESS = 0x2_0000_0000;
const OPERATION_SIZE = 64;

describe('encodeOperations()', () => {
  it('counts the operations, and puts numbers, kinds and errnos in their places', () => {
    const bytes = encodeOperations([step('mkdirat', [-100, 7n], { tolerate: 'EEXIST' })], []);
    const MKDIRAT = 258;
    const EEXIST = 17;
    assert.equal(bytes.readBigUInt64LE(0), 1n);
    assert.equal(bytes.readUInt16LE(64), MKDIRAT);
    assert.equal(bytes.readUInt8(66), EEXIST);
    assert.equal(bytes.readBigInt64LE(64 + 16), -100n);
    assert.equal(bytes.readBigInt64LE(64 + 24), 7n);
  });

  it('points to strings by absolute address', () => {
    const bytes = encodeOperations([step('chdir', ['/tmp']), step('chroot', ['/tmp'])], []);
    for (const operation of [64, 64 + OPERATION_SIZE]) {
      const at = Number(bytes.readBigUInt64LE(operation + 16)) - LIST_ADDRESS;
      assert.equal(bytes.toString('latin1', at, at + 5), '/tmp\0');
    }
  });

  it('points to a vector once, however many operations have it, and leaves nothing of the list before', () => {
    encodeOperations([step('write', [1, Buffer.alloc(4096, 0xff), -1])], []);
    const argv = { strings: ['true'] };
    const bytes = encodeOperations([step('execute', ['/a', argv]), step('execute', ['/b', argv])], []);
    const [first, second] = [64, 64 + OPERATION_SIZE].map((at) => bytes.readBigUInt64LE(at + 24));
    assert.equal(first, second);
    assert.equal(bytes.readBigUInt64LE(Number(first) - LIST_ADDRESS + 8), 0n);
    assert.equal(bytes.readBigUInt64LE(64 + 32), 0n);
  });

  it('points to vectors of strings, closed by nothing', () => {
    const bytes = encodeOperations([step('execute', ['/bin/true', { strings: ['true', '-x'] }])], []);
    const vector = Number(bytes.readBigUInt64LE(64 + 24)) - LIST_ADDRESS;
    const strings = [0, 8].map((at) => Number(bytes.readBigUInt64LE(vector + at)) - LIST_ADDRESS);
    assert.deepEqual(
      strings.map((at) => bytes.toString('latin1', at, bytes.indexOf(0, at))),
      ['true', '-x'],
    );
    assert.equal(bytes.readBigUInt64LE(vector + 16), 0n);
  });

  it('names descriptors by their place, and results by their operation', () => {
    const operations = [
      step('openat', [0], { result: 'folder' }),
      step('fchdir', [{ result: 'folder' }]),
      step('fchdir', [{ descriptor: 'b' }]),
    ];
    const bytes = encodeOperations(operations, ['a', 'b']);
    const kindAndValue = (index: number) => [
      bytes.readUInt8(64 + index * OPERATION_SIZE + 4),
      Number(bytes.readBigUInt64LE(64 + index * OPERATION_SIZE + 16)),
    ];
    assert.equal(bytes.readUInt8(64 + 3), 0);
    assert.deepEqual(kindAndValue(1), [2, 0]);
    assert.deepEqual(kindAndValue(2), [1, 1]);
  });

  it('refuses what does not exist: calls, descriptors, results, strings with NUL', () => {
    for (const operation of [
      step('frobnicate', []),
      step('fchdir', [{ descriptor: 'x' }]),
      step('fchdir', [{ result: 'x' }]),
      step('chdir', ['/a\0b']),
    ]) {
      assert.throws(() => encodeOperations([operation], []));
    }
    const results = Array.from({ length: 256 }, (_, index) => step('getpid', [], { result: `${index}` }));
    encodeOperations(results.slice(1), []);
    assert.throws(() => encodeOperations(results, []), /too many/);
  });
});

function step(call: string, args: Operation['args'], more: Partial<Operation> = {}): Operation {
  return { call, args, purpose: 'test', ...more };
}
