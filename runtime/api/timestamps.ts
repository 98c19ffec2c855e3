import { EngineError } from '../engine-error.ts';

const UNITS: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * A filter's time as milliseconds since 1970: Unix seconds (with fraction), a date such as `2026-01-31T12:00:00Z`, or how long
 * ago as Go spells it, e.g. `10m` or `1h30m`. Throws `invalid`.
 */
export function parseTime(text: string, now: number): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const ago = parseDuration(text);
  const time = ago === undefined ? Date.parse(text) : now - ago;
  if (Number.isNaN(time)) {
    throw new EngineError(
      'invalid',
      `"${text}" is not a time: Unix seconds, 2026-01-31T12:00:00Z, or 10m for ten minutes ago.`,
    );
  }
  return time;
}

/** `1h30m` in milliseconds; undefined for what is no duration. */
function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0);
}
