import { tableName } from './firewall-table.ts';
import type { Protocol } from './traffic.ts';

/** A port of the host, and where in containers it leads: to each in turn, connection by connection. */
export interface ForwardRule {
  protocol: Protocol;
  hostPort: number;
  /** At least one. */
  targets: { address: string; port: number }[];
}

/**
 * What ports that lead to several containers add to the table; all of it is replaced at each change, in one transaction. Connections
 * that stand stay with their container (nft(8), numgen; conntrack asks these rules once for each).
 *
 *   forwards             protocol and port of the host → the chain of that port
 *   forward_tcp_5432     chooses the container
 *   forwarded            a container that is led to, twice: as `selves`
 */
export class FirewallForwards {
  readonly #table: string;
  #rules: ForwardRule[] = [];

  constructor(tag: string) {
    this.#table = `inet ${tableName(tag)}`;
  }

  /** The commands of nft(8), for one transaction, that put these rules in the place of the last ones; '': nothing changes. */
  change(rules: ForwardRule[]): string {
    const before = this.#rules;
    this.#rules = rules;
    if (JSON.stringify(before) === JSON.stringify(rules)) return '';
    return [
      `flush map ${this.#table} forwards\n`,
      `flush set ${this.#table} forwarded\n`,
      ...before.map((rule) => `delete chain ${this.#table} ${chainOf(rule)}\n`),
      this.all(),
    ].join('');
  }

  /** The commands that bring everything into a table without any. */
  all(): string {
    const addresses = new Set(this.#rules.flatMap(({ targets }) => targets.map(({ address }) => address)));
    return [
      ...this.#rules.map((rule) => `add chain ${this.#table} ${chainOf(rule)}\n${this.#choice(rule)}`),
      ...this.#rules.map(
        (rule) =>
          `add element ${this.#table} forwards { ${rule.protocol} . ${rule.hostPort} : jump ${chainOf(rule)} }\n`,
      ),
      ...[...addresses].map(
        (address) => `add element ${this.#table} forwarded { ${address} . ${address} }\n`,
      ),
    ].join('');
  }

  #choice(rule: ForwardRule): string {
    const { protocol, targets } = rule;
    const [only] = targets;
    const choices = targets.map(({ address, port }, index) => `${index} : ${address} . ${port}`);
    const to =
      targets.length === 1
        ? `${only!.address}:${only!.port}`
        : `numgen inc mod ${targets.length} map { ${choices.join(', ')} }`;
    return `add rule ${this.#table} ${chainOf(rule)} meta l4proto ${protocol} dnat ip to ${to}\n`;
  }
}

function chainOf({ protocol, hostPort }: ForwardRule): string {
  return `forward_${protocol}_${hostPort}`;
}
