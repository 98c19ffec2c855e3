import { BuildpackError } from './buildpack.ts';

/** Comparisons that one `.slugignore` may cost, about two seconds; 50 patterns on 100,000 paths need half of it. */
const budget = 50_000_000;

/**
 * Parses a `.slugignore`: tells of each path of the tree whether the build leaves it out. Patterns as in `.gitignore` but
 * without `!`: `*`, `?` and `[…]` within a name, `**` across folders, a leading or inner `/` ties to the root, a trailing
 * one means folders only. Telling throws `BuildpackError` where the patterns are made to take for ever.
 */
export function parseSlugIgnore(text: string): (path: string) => boolean {
  const patterns = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => !/^([#!]|\/*$)/.test(line))
    .map(parsePattern);
  const work: Work = { left: budget };
  return (path) => {
    const names = path.split('/').map((name) => [...name]);
    return patterns.some((pattern) =>
      matches(pattern, names, (glob, name) => (glob === 'many' ? 'many' : matchesName(glob, name, work))),
    );
  };
}

/** Names of a path; `many`: any number of them. */
type Pattern = (Glob | 'many')[];
/** Characters of a name: one, one of a class, or any number of any. */
type Glob = (string | CharacterClass | 'any' | 'many')[];

interface CharacterClass {
  negated: boolean;
  ranges: [from: string, to: string][];
}

interface Work {
  left: number;
}

/** Whatever matches a folder matches all below it too, hence the `many` at the end. */
function parsePattern(line: string): Pattern {
  const body = line.replace(/\/+$/, '');
  const names = body.split('/').filter((name) => name !== '');
  const globs = names.map((name) => (name === '**' ? 'many' : parseGlob(name)));
  const start: Pattern = body.includes('/') ? globs : ['many', ...globs];
  return line.endsWith('/') ? [...start, ['many'], 'many'] : [...start, 'many'];
}

function parseGlob(name: string): Glob {
  const parts = name.match(/\[[!^]?\]?[^\]]*\]|\\.|./gsu) ?? [];
  return parts.map((part) => {
    if (part === '*') return 'many';
    if (part === '?') return 'any';
    if (part.startsWith('[') && part.length > 1) return parseClass(part.slice(1, -1));
    return part.startsWith('\\') && part.length > 1 ? part.slice(1) : part;
  });
}

function parseClass(members: string): CharacterClass {
  const negated = /^[!^]/.test(members);
  const ranges = [...members.slice(negated ? 1 : 0).matchAll(/(.)-(.)|./gsu)];
  return { negated, ranges: ranges.map(([one, from = one, to = one]) => [from, to]) };
}

function matchesName(glob: Glob, name: string[], work: Work): boolean {
  return matches(glob, name, (part, character) => {
    if (--work.left < 0) {
      throw new BuildpackError('.slugignore takes too long to match; use fewer or simpler patterns.');
    }
    if (part === 'many') return 'many';
    if (part === 'any') return true;
    if (typeof part === 'string') return part === character;
    return part.ranges.some(([from, to]) => character >= from && character <= to) !== part.negated;
  });
}

/**
 * Matches two sequences where a part may stand for `many` items, none included. Greedy with one way back to the last
 * `many`: at most parts × items comparisons, whatever a pusher writes (a regular expression would be exponential).
 */
function matches<Part, Item>(
  parts: (Part | 'many')[],
  items: Item[],
  compare: (part: Part | 'many', item: Item) => boolean | 'many',
): boolean {
  let part = 0;
  let item = 0;
  let back: { part: number; item: number } | undefined;
  while (item < items.length) {
    const outcome = part < parts.length && compare(parts[part]!, items[item]!);
    if (outcome === 'many') {
      back = { part: part + 1, item };
      part++;
    } else if (outcome) {
      part++;
      item++;
    } else if (back !== undefined) {
      back = { part: back.part, item: back.item + 1 };
      ({ part, item } = back);
    } else return false;
  }
  return parts.slice(part).every((rest) => rest === 'many');
}
