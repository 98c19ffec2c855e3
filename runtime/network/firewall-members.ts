import { createHash } from 'node:crypto';
import { tableName } from './firewall-table.ts';
import type { Traffic } from './traffic.ts';

/**
 * What single containers add to the table, by their addresses; knows what is there, so that a change costs as much as it
 * changes. A container that shares no network and publishes nothing adds nothing.
 *
 *   net_<id>      the set of a network's members
 *   peers_<hash>  the chain of those containers that are in exactly the same networks: one rule a network
 */
export class FirewallMembers {
  readonly #table: string;
  readonly #members = new Map<string, Contribution>();
  /** How many members need a set or a chain. */
  readonly #uses = new Map<string, number>();

  constructor(tag: string) {
    this.#table = `inet ${tableName(tag)}`;
  }

  /** The commands of nft(8), for one transaction, that bring these addresses to this traffic (undefined: to none). */
  change(wanted: ReadonlyMap<string, Traffic | undefined>): string {
    const before = [...wanted.keys()].map((address) => this.#members.get(address) ?? NOTHING);
    const after = [...wanted].map(([address, traffic]) => contributionOf(address, traffic));
    const made = after.flatMap((contribution) => this.#use(contribution));
    const unused = before.flatMap((contribution) => this.#leave(contribution));
    for (const [index, address] of [...wanted.keys()].entries()) this.#keep(address, after[index]!);
    const [old, current] = [elementsOf(before), elementsOf(after)];
    // What came to be and is unused again, or the other way round, was there before and stays.
    const [making, unmaking] = [withoutThoseIn(unused, made), withoutThoseIn(made, unused)];
    return script([
      ...making.map((name) => this.#make(name, after)),
      ...this.#elements('delete', withoutThoseIn(current, old)),
      ...this.#elements('add', withoutThoseIn(old, current)),
      ...unmaking.filter(isChain).map((name) => `delete chain ${this.#table} ${name}`),
      ...unmaking.filter((name) => !isChain(name)).map((name) => `delete set ${this.#table} ${name}`),
    ]);
  }

  /** The commands that bring everything into a table without members. */
  all(): string {
    const members = [...this.#members.values()];
    return script([
      ...[...this.#uses.keys()].sort().map((name) => this.#make(name, members)),
      ...this.#elements('add', elementsOf(members)),
    ]);
  }

  #keep(address: string, contribution: Contribution): void {
    if (contribution.elements.length > 0) this.#members.set(address, contribution);
    else this.#members.delete(address);
  }

  /** Returns what is needed for the first time: sets before the chains that name them. */
  #use({ sets, chain }: Contribution): string[] {
    return [...sets, ...chain].filter((name) => {
      const count = this.#uses.get(name) ?? 0;
      this.#uses.set(name, count + 1);
      return count === 0;
    });
  }

  /** Returns what nobody needs any more. */
  #leave({ sets, chain }: Contribution): string[] {
    return [...sets, ...chain].filter((name) => {
      const count = this.#uses.get(name)! - 1;
      if (count > 0) this.#uses.set(name, count);
      else this.#uses.delete(name);
      return count === 0;
    });
  }

  #make(name: string, among: Contribution[]): string {
    if (!isChain(name)) return `add set ${this.#table} ${name} { type ipv4_addr; }`;
    const { sets } = among.find(({ chain }) => chain.includes(name))!;
    const rules = sets.map((set) => `add rule ${this.#table} ${name} ip daddr @${set} accept`);
    return [`add chain ${this.#table} ${name}`, ...rules].join('\n');
  }

  /** One command a set. */
  #elements(command: 'add' | 'delete', elements: string[]): string[] {
    const bySet = Map.groupBy(elements, (element) => element.slice(0, element.indexOf(' ')));
    return [...bySet].map(([set, list]) => {
      const inside = list.map((element) => element.slice(set.length + 1)).join(', ');
      return `${command} element ${this.#table} ${set} { ${inside} }`;
    });
  }
}

/** What one address needs. */
interface Contribution {
  sets: string[];
  /** At most one. */
  chain: string[];
  /** `SET KEY` or `SET KEY : VALUE`, as nft writes them. */
  elements: string[];
}

const NOTHING: Contribution = { sets: [], chain: [], elements: [] };
const CHAIN = 'peers_';

function contributionOf(address: string, traffic: Traffic | undefined): Contribution {
  if (!traffic) return NOTHING;
  const sets = traffic.networks.map(({ network }) => `net_${network.slice(0, 24)}`).sort();
  const chain = sets.length > 0 ? [CHAIN + hash(sets.join(' '))] : [];
  return {
    sets,
    chain,
    elements: [
      ...(traffic.egress ? [] : [`inside ${address}`]),
      ...sets.map((set) => `${set} ${address}`),
      ...chain.map((name) => `peers ${address} : jump ${name}`),
      ...portElements(address, traffic),
    ],
  };
}

function portElements(address: string, { ports }: Traffic): string[] {
  if (ports.length === 0) return [];
  const maps = ports.map(({ protocol, port, hostAddress, hostPort }) => {
    const target = `${address} . ${port}`;
    if (hostAddress === '0.0.0.0') return `published ${protocol} . ${hostPort} : ${target}`;
    return `published_at ${hostAddress} . ${protocol} . ${hostPort} : ${target}`;
  });
  return [`selves ${address} . ${address}`, ...maps];
}

function elementsOf(contributions: Contribution[]): string[] {
  return contributions.flatMap(({ elements }) => elements);
}

function isChain(name: string): boolean {
  return name.startsWith(CHAIN);
}

function withoutThoseIn(excluded: string[], list: string[]): string[] {
  const set = new Set(excluded);
  return list.filter((entry) => !set.has(entry));
}

function script(lines: string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
