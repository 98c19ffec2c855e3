/** The middle value; of an even count the mean of both. */
export function median(values: number[]): number {
  return percentile(values, 50);
}

/** Linear between neighbours, as numpy's default. */
export function percentile(values: number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const position = ((sorted.length - 1) * percent) / 100;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position % 1);
}
