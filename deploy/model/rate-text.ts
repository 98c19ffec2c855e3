import type { VisitorSettings } from './visitor-settings.ts';

export type Rate = NonNullable<VisitorSettings['rate']>;

/** The units of a rate, in milliseconds. */
export const RATE_UNITS = { s: 1000, m: 60_000, h: 3_600_000 };

/** As it is set, and how many at once: `600/m, 50 at once`. */
export function rateText({ requests, milliseconds, burst }: Rate): string {
  const unit =
    Object.entries(RATE_UNITS).find(([, length]) => length === milliseconds)?.[0] ?? `${milliseconds} ms`;
  return `${requests}/${unit}, ${burst} at once`;
}
