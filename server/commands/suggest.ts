/** At most three of `names` that whoever typed `given` may have meant, the nearest first. */
export function nearNames(given: string, names: Iterable<string>): string[] {
  const wanted = given.toLowerCase().slice(0, 64);
  const limit = Math.max(1, Math.floor(wanted.length / 3));
  return [...new Set(names)]
    .map((name) => ({ name, distance: nearness(wanted, name.toLowerCase(), limit) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1))
    .slice(0, 3)
    .map(({ name }) => name);
}

/** ` Did you mean a, b or c?`, or nothing. */
export function didYouMean(given: string, names: Iterable<string>): string {
  const near = nearNames(given, names);
  if (near.length === 0) return '';
  return ` Did you mean ${new Intl.ListFormat('en-GB', { type: 'disjunction' }).format(near)}?`;
}

function nearness(wanted: string, name: string, limit: number): number {
  if (wanted.length >= 2 && name.startsWith(wanted)) return 0.5;
  const part = name.split(':').at(-1)!;
  if (wanted.length >= 3 && part === wanted) return 0.75;
  if (Math.abs(name.length - wanted.length) > limit) return Infinity;
  return editDistance(wanted, name);
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      let cost = Math.min(last[column]! + 1, current[column - 1]! + 1, last[column - 1]! + same);
      const swapped = a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (row > 1 && column > 1 && swapped) cost = Math.min(cost, beforeLast[column - 2]! + 1);
      current.push(cost);
    }
    beforeLast = last;
    last = current;
  }
  return last[b.length]!;
}
