/**
 * How long requests took, in counts by duration: place i has those of at most latencyBound(i) milliseconds, the last place all above.
 * The router counts by the same bounds (server/router/traffic.ts).
 */
export type Latencies = readonly number[];

/** Milliseconds: 0.25, and each half as long again as the one before, up to 72 s. */
export function latencyBound(place: number): number {
  return 0.25 * 1.5 ** place;
}

/** The time that a share (0 to 1) of the requests took at most, in milliseconds; undefined: there were none. */
export function latencyQuantile(latencies: Latencies, share: number): number | undefined {
  const total = latencies.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let left = share * total;
  for (const [place, count] of latencies.entries()) {
    if (count > 0 && left <= count) {
      const low = place === 0 ? 0 : latencyBound(place - 1);
      return low + (latencyBound(place) - low) * (left / count);
    }
    left -= count;
  }
  return latencyBound(latencies.length - 1);
}

/** Both together. */
export function addLatencies(a: Latencies, b: Latencies): number[] {
  return Array.from(
    { length: Math.max(a.length, b.length) },
    (_, place) => (a[place] ?? 0) + (b[place] ?? 0),
  );
}
