import { BlockList, isIP, isIPv6 } from 'node:net';
import { clientOf } from './client-counts.ts';
import { type Answer, forbidden, overloaded, tooManyRequests, unauthorized } from './error-page.ts';
import { PasswordCheck, unmatchable } from './password.ts';
import { RateLimit } from './rate-limit.ts';
import type { RouteRules } from './route-table.ts';

/** A request that wants to come in. */
export interface Visit {
  /** The client's address. */
  peer: string;
  /** Of the request, as passed on. */
  head: string;
  /** Of performance.now(). */
  now: number;
}

/** Whom an app's operator lets in: by address, then by pace, then by password. */
export class VisitorRules {
  readonly #text: string;
  readonly #allowed: BlockList | undefined;
  readonly rate: RateLimit | undefined;
  readonly #users: Map<string, string> | undefined;
  readonly #passwords = new PasswordCheck();
  /** What no password has; undefined: there are no users. */
  readonly #nobodys: string | undefined;

  private constructor(rules: RouteRules, text: string) {
    this.#text = text;
    this.#allowed = rules.allow && blockListOf(rules.allow);
    this.rate = rules.rate && new RateLimit(rules.rate);
    this.#users = rules.users && new Map(rules.users.map(({ name, hash }) => [name, hash]));
    this.#nobodys = rules.users?.[0] && unmatchable(rules.users[0].hash);
  }

  /** undefined: there are none. Those that stay the same go on counting. */
  static of(rules: RouteRules | undefined, before: VisitorRules | undefined): VisitorRules | undefined {
    if (!rules) return undefined;
    const text = JSON.stringify(rules);
    return before && before.#text === text ? before : new VisitorRules(rules, text);
  }

  /** The answer for one who does not come in; undefined: he does. A promise where a password must be reckoned first. */
  refusal(visit: Visit): Answer | undefined | Promise<Answer | undefined> {
    const { peer, now } = visit;
    if (!this.isAllowed(peer)) return forbidden;
    const early = this.rate?.take(clientOf(peer), now) ?? 0;
    if (early > 0) return tooManyRequests(Math.ceil(early / 1000));
    return this.#users && this.#checkPassword(this.#users, visit.head);
  }

  /** As far as the address counts. */
  isAllowed(peer: string): boolean {
    return this.#allowed?.check(peer, isIPv6(peer) ? 'ipv6' : 'ipv4') ?? true;
  }

  #checkPassword(users: Map<string, string>, head: string): Answer | undefined | Promise<Answer | undefined> {
    const given = credentialsOf(head);
    // A name that nobody has costs the same work, so that the time of the answer does not tell which there are.
    const hash = given && (users.get(given.name) ?? this.#nobodys);
    if (!hash) return unauthorized;
    if (this.#passwords.recalls(given.password, hash)) return undefined;
    return this.#passwords
      .verify(given.password, hash)
      .then((right) => (right === undefined ? overloaded : right ? undefined : unauthorized));
  }
}

/** Name and password of basic authentication (RFC 7617, in UTF-8); undefined: none, or more than one Authorization field. */
export function credentialsOf(head: string): { name: string; password: string } | undefined {
  const fields = [...head.matchAll(/\r\nauthorization:[ \t]*([^\r\n]*)/gi)];
  const token =
    fields.length === 1
      ? /^basic +([A-Za-z0-9+/]{1,1024}={0,2})[ \t]*$/i.exec(fields[0]![1]!)?.[1]
      : undefined;
  if (token === undefined) return undefined;
  const text = Buffer.from(token, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

function blockListOf(ranges: string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address, bits] = range.split('/');
    const family = isIP(address!) === 6 ? 'ipv6' : 'ipv4';
    if (bits === undefined) list.addAddress(address!, family);
    else list.addSubnet(address!, Number(bits), family);
  }
  return list;
}
