import assert from 'node:assert/strict';
import { randomBytes, randomInt } from 'node:crypto';
import { describe, it } from 'mocha';
import {
  addressOfReverseName,
  encodeAnswer,
  fitToUdp,
  isAnswerTo,
  parseQuery,
  RCODE,
  responseCode,
  TYPE,
  withId,
} from '../../../../runtime/network/dns/dns-message.ts';
import { dnsQuery } from './dns-query.ts';

describe('parseQuery()', () => {
  it('reads a question, without regard to case', () => {
    const query = parseQuery(dnsQuery('Web.Example', { id: 0xabcd, type: TYPE.AAAA }))!;
    assert.deepEqual(
      [
        query.id,
        query.name,
        query.type,
        query.class,
        query.opcode,
        query.recursionDesired,
        query.payloadSize,
      ],
      [0xabcd, 'web.example', TYPE.AAAA, 1, 0, true, undefined],
    );
    assert.equal(parseQuery(dnsQuery('a', { payloadSize: 4096 }))!.payloadSize, 4096);
  });

  const base = dnsQuery('web.example');
  const changed = (at: number, value: number) => {
    const copy = Buffer.from(base);
    copy[at] = value;
    return copy;
  };
  const malformed: [string, Buffer][] = [
    ['nothing', Buffer.alloc(0)],
    ['half a header', base.subarray(0, 11)],
    ['a header alone', base.subarray(0, 12)],
    ['a question that is cut off', base.subarray(0, base.length - 1)],
    ['a response', changed(2, 0x81)],
    ['no question', changed(5, 0)],
    ['two questions', changed(5, 2)],
    ['an answer in the question', changed(7, 1)],
    ['a label beyond the end', changed(12, 60)],
    ['a label that is too long', changed(12, 64)],
    ['a pointer to itself', changed(12, 0xc0)],
    ['a name of 256 bytes', dnsQuery(Array.from({ length: 128 }, () => 'a').join('.'))],
    ['more than we take', Buffer.concat([base, Buffer.alloc(2000)])],
  ];
  for (const [what, bytes] of malformed) {
    it(`drops ${what}`, () => assert.equal(parseQuery(bytes), undefined));
  }

  it('takes a name of 255 bytes', () => {
    const name = Array.from({ length: 127 }, () => 'a').join('.');
    assert.equal(parseQuery(dnsQuery(name))?.name, name);
  });

  it('survives 50,000 messages of noise, and of good messages with noise in them', () => {
    let [parsed, dropped] = [0, 0];
    for (let round = 0; round < 50_000; round++) {
      const bytes =
        round % 2 ? randomBytes(randomInt(80)) : mutate(dnsQuery('web.app.internal', { payloadSize: 1232 }));
      const query = parseQuery(bytes);
      if (!query) {
        dropped++;
        continue;
      }
      parsed++;
      assert.ok(query.end <= bytes.length && query.name.length <= 255);
      const answer = encodeAnswer(query, { code: RCODE.OK, records: [], ttl: 0 });
      assert.ok(isAnswerTo(query, query.id, answer));
    }
    // Else one half was not tried at all.
    assert.ok(parsed > 2_000 && dropped > 2_000, `${parsed} parsed, ${dropped} dropped`);
  });
});

describe('DNS answers', () => {
  const query = parseQuery(dnsQuery('web', { id: 7 }))!;
  const many = Array.from({ length: 60 }, (_, index) => ({ type: TYPE.A, address: `10.0.0.${index}` }));

  it('encodeAnswer() repeats the question and names its records by it', () => {
    const bytes = encodeAnswer(query, { code: RCODE.OK, records: many.slice(5, 6), ttl: 5 });
    assert.equal(
      bytes.toString('hex'),
      '0007818000010001000000000377656200000100 01c00c0001000100000005 00040a000005'.replaceAll(' ', ''),
    );
  });

  it('fitToUdp() cuts what is longer than the asker takes, and says so', () => {
    const answer = encodeAnswer(query, { code: RCODE.OK, records: many, ttl: 5 });
    const cut = fitToUdp(query, answer);
    assert.deepEqual([cut.readUInt16BE(2) & 0x200, cut.readUInt16BE(6), cut.length], [0x200, 0, query.end]);
    const large = parseQuery(dnsQuery('web', { payloadSize: 1232 }))!;
    assert.equal(fitToUdp(large, answer), answer);
  });

  it('isAnswerTo() wants the id and the question', () => {
    const answer = encodeAnswer(query, { code: RCODE.NO_SUCH_NAME, records: [], ttl: 0 });
    assert.ok(isAnswerTo(query, 7, answer));
    assert.ok(!isAnswerTo(query, 8, answer));
    assert.ok(isAnswerTo(query, 8, withId(answer, 8)));
    assert.ok(!isAnswerTo(parseQuery(dnsQuery('wep'))!, 7, answer));
    assert.ok(!isAnswerTo(query, 7, query.bytes));
    assert.equal(responseCode(answer), RCODE.NO_SUCH_NAME);
  });

  it('addressOfReverseName() turns it round', () => {
    assert.equal(addressOfReverseName('4.3.30.172.in-addr.arpa'), '172.30.3.4');
    assert.equal(addressOfReverseName('3.30.172.in-addr.arpa'), undefined);
  });
});

/** One to four bytes are others, or some are missing at the end. */
function mutate(bytes: Buffer): Buffer {
  for (let times = randomInt(5); times > 0; times--) bytes[randomInt(bytes.length)] = randomInt(256);
  return randomInt(10) === 0 ? bytes.subarray(0, randomInt(bytes.length)) : bytes;
}
