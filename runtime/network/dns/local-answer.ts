import { randomInt } from 'node:crypto';
import type { NameDirectory } from '../name-directory.ts';
import type { Subnet } from '../subnet.ts';
import {
  addressOfReverseName,
  CLASS_INTERNET,
  type DnsQuery,
  type DnsRecord,
  encodeAnswer,
  RCODE,
  TYPE,
} from './dns-message.ts';

/** Seconds for which an asker may remember: containers come and go. */
const TTL = 5;
/** So many are in one answer, chosen at random: they fit without EDNS. */
const MAX_ADDRESSES = 24;

/** What we know ourselves; undefined: somebody else is to be asked. */
export function localAnswer(
  query: DnsQuery,
  context: { asker: string; names: NameDirectory; subnet: Subnet },
): Buffer | undefined {
  if (query.opcode !== 0) return refusal(query, RCODE.NOT_IMPLEMENTED);
  if (query.class !== CLASS_INTERNET) return undefined;
  const { asker, names, subnet } = context;
  const reversed = addressOfReverseName(query.name);
  if (reversed !== undefined && subnet.contains(reversed)) {
    const name = names.nameOf(asker, reversed);
    if (name === undefined) return refusal(query, RCODE.NO_SUCH_NAME);
    return answer(query, [{ type: TYPE.PTR, name }]);
  }
  const addresses = names.addresses(asker, query.name);
  if (addresses.length === 0) return undefined;
  return answer(
    query,
    shuffled(addresses)
      .slice(0, MAX_ADDRESSES)
      .map((address) => ({ type: TYPE.A, address })),
  );
}

/** An answer without records. */
export function refusal(query: DnsQuery, code: number): Buffer {
  return encodeAnswer(query, { code, records: [], ttl: 0 });
}

/** The name is there, but perhaps not what was asked about it (an IPv6 address, for one). */
function answer(query: DnsQuery, records: DnsRecord[]): Buffer {
  const asked = records.filter(({ type }) => type === query.type || query.type === TYPE.ANY);
  return encodeAnswer(query, { code: RCODE.OK, records: asked, ttl: TTL });
}

/** Fisher and Yates: each order is as likely, so that load is spread. */
function shuffled<T>(list: T[]): T[] {
  const copy = [...list];
  for (let last = copy.length - 1; last > 0; last--) {
    const other = randomInt(last + 1);
    [copy[last], copy[other]] = [copy[other]!, copy[last]!];
  }
  return copy;
}
