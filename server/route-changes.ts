import { randomBytes } from 'node:crypto';
import type { AppRoute, RouteChange, RouteTable } from './router/route-table.ts';

/** How a table gets to the router: whole, or as what became different since the one that it has. */
export type RouteMessage =
  | { method: 'PUT'; body: RouteTable; sent: SentTable }
  | { method: 'PATCH'; body: RouteChange; sent: SentTable };

/** What the router has if it took a message. */
export interface SentTable {
  revision: string;
  /** All but the apps, as JSON. */
  rest: string;
  /** App → its route as JSON. */
  apps: Map<string, string>;
}

/** Numbers the tables of this process, and tells what of one is new to the router. */
export class RouteChanges {
  readonly #process = randomBytes(6).toString('hex');
  #count = 0;
  /** undefined: not known. */
  #taken: SentTable | undefined;

  messageFor(table: RouteTable): RouteMessage {
    const { apps, ...rest } = table;
    const revision = `${this.#process}.${++this.#count}`;
    const texts = new Map(apps.map((app) => [app.app, JSON.stringify(app)]));
    const sent: SentTable = { revision, rest: JSON.stringify(rest), apps: texts };
    const before = this.#taken;
    const whole = { method: 'PUT', body: { ...table, revision }, sent } as const;
    if (before?.rest !== sent.rest) return whole;
    const changed = apps.filter((app) => before.apps.get(app.app) !== texts.get(app.app));
    if (changed.length * 2 > apps.length && changed.length > FEW) return whole;
    return { method: 'PATCH', body: changeOf(before, { revision, changed, texts }), sent };
  }

  /** The router took a message. */
  taken(sent: SentTable): void {
    this.#taken = sent;
  }

  /** Nobody knows what the router has: the next one is whole. */
  forget(): void {
    this.#taken = undefined;
  }
}

function changeOf(
  before: SentTable,
  { revision, changed, texts }: { revision: string; changed: AppRoute[]; texts: Map<string, string> },
): RouteChange {
  const gone = [...before.apps.keys()].filter((app) => !texts.has(app));
  return { from: before.revision, to: revision, apps: changed, gone };
}

/** So few are no reason for a whole table. */
const FEW = 10;
