import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'mocha';
import { readPushHead, withPresentRefs } from '../../deploy/receive/push-head.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const C = 'c'.repeat(40);
const NONE = '0'.repeat(40);
const MAIN = 'refs/heads/main';

describe('readPushHead()', () => {
  it('reads the commands in whatever pieces they come, and leaves the pack', async () => {
    const text = `${packet(`${A} ${B} ${MAIN}\0 report-status side-band-64k`)}${packet(`${NONE} ${C} refs/tags/v1`)}0000`;
    for (const size of [1, 7, 1000]) {
      const stdin = new PassThrough();
      const read = readPushHead(stdin);
      for (let at = 0; at < text.length; at += size) stdin.write(text.slice(at, at + size));
      const { refs, bytes } = await read;
      stdin.write('PACK');
      assert.deepEqual(refs, [
        { old: A, new: B, ref: MAIN },
        { old: NONE, new: C, ref: 'refs/tags/v1' },
      ]);
      assert.equal(bytes.toString(), text);
      assert.equal(String(stdin.read()), 'PACK');
    }
  });

  it('has no refs for an empty list, the end of the stream, and what is no list', async () => {
    for (const text of ['0000', '', '0004', 'GET / HTTP/1.1\r\n', packet(`${A} ${B} ${MAIN}`)]) {
      const stdin = new PassThrough();
      const read = readPushHead(stdin);
      stdin.end(text);
      assert.deepEqual(await read, { refs: [], bytes: Buffer.from(text) });
    }
  });
});

describe('withPresentRefs()', () => {
  const head = (lines: string[]) => {
    const refs = lines.map((line) => {
      const [old, now, ref] = line.split(' ') as [string, string, string];
      return { old, new: now, ref };
    });
    return { refs, bytes: Buffer.from(`${lines.map(packet).join('')}0000PACK`) };
  };

  it('says what the ref is now, and which have moved', () => {
    const { bytes, moved } = withPresentRefs(head([`${A} ${C} ${MAIN}`]), new Map([[MAIN, B]]));
    assert.equal(bytes.toString(), `${packet(`${B} ${C} ${MAIN}`)}0000PACK`);
    assert.deepEqual(moved, [{ old: B, new: C, ref: MAIN }]);
  });

  it('leaves what is as it was told, new refs and deletions', () => {
    const whole = head([`${A} ${B} ${MAIN}`, `${NONE} ${C} refs/heads/new`, `${A} ${NONE} refs/heads/old`]);
    const present = new Map([
      [MAIN, A],
      ['refs/heads/old', C],
    ]);
    assert.deepEqual(withPresentRefs(whole, present), { bytes: whole.bytes, moved: [] });
  });
});

function packet(text: string): string {
  return (text.length + 4).toString(16).padStart(4, '0') + text;
}
