import { containerInterfaces, tableName } from './firewall-table.ts';

/** A chain of anybody's that packets come through, as nft(8) lists it. */
export interface BaseChain {
  family: string;
  table: string;
  name: string;
  hook: 'forward' | 'input';
  policy: 'accept' | 'drop';
  rules: Rule[];
}

export interface Rule {
  handle: number;
  comment?: string;
  expr: Record<string, unknown>[];
}

/**
 * The commands of nft(8) for what other firewalls of the host (Docker's, ufw's) would drop though ours lets it pass: in each of
 * their chains that drops or rejects what no rule of its own decides, a rule of ours comes last. It accepts containers'
 * traffic, which our table has judged by then. What the user's rules say about it goes before.
 */
export function planPassage(tag: string, chains: BaseChain[]): string {
  return chains
    .filter((chain) => canBeNamed(chain) && dropsTheRest(chain) && !hasPassage(tag, chain))
    .flatMap((chain) => passageRules(tag, chain))
    .join('');
}

/** Takes back what `planPassage` has added. */
export function planPassageRemoval(tag: string, chains: BaseChain[]): string {
  return chains
    .flatMap((chain) =>
      chain.rules
        .filter(({ comment }) => comment === tableName(tag))
        .map(({ handle }) => `delete rule ${nameOf(chain)} handle ${handle}\n`),
    )
    .join('');
}

function passageRules(tag: string, chain: BaseChain): string[] {
  const last = chain.rules.at(-1);
  // What comes after a rule for everything is never reached.
  const command =
    last && endsAll(last)
      ? `insert rule ${nameOf(chain)} position ${last.handle}`
      : `add rule ${nameOf(chain)}`;
  const directions = chain.hook === 'forward' ? ['iifname', 'oifname'] : ['iifname'];
  return directions.map(
    (direction) =>
      `${command} ${direction} ${containerInterfaces(tag)} counter accept comment "${tableName(tag)}"\n`,
  );
}

function dropsTheRest({ policy, rules }: BaseChain): boolean {
  return policy === 'drop' || rules.slice(-1).some(endsAll);
}

function hasPassage(tag: string, { rules }: BaseChain): boolean {
  return rules.some(({ comment }) => comment === tableName(tag));
}

/** Drops or rejects without asking what it is. */
function endsAll({ expr }: Rule): boolean {
  const verdicts = expr.filter((part) => !('counter' in part || 'log' in part));
  return verdicts.length === 1 && isRefusal(verdicts[0]!);
}

function isRefusal(part: Record<string, unknown>): boolean {
  const target = part.xt as { type?: string; name?: string } | undefined;
  const isTarget = target?.type === 'target' && ['REJECT', 'DROP'].includes(target.name ?? '');
  return 'drop' in part || 'reject' in part || isTarget;
}

/** nft(8) cannot quote names. */
function canBeNamed({ table, name }: BaseChain): boolean {
  return [table, name].every((word) => /^[A-Za-z][A-Za-z0-9_./-]*$/.test(word));
}

function nameOf({ family, table, name }: BaseChain): string {
  return `${family} ${table} ${name}`;
}
