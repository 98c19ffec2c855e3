import { createHash } from 'node:crypto';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Orders that one host may have in an hour and in a week: below what certificate authorities allow. */
export const ORDERS_AN_HOUR = 4;
export const ORDERS_A_WEEK = 20;

/** When a certificate is renewed: a third of its life is left, or a little more, so that those of one day are not renewed in one minute. */
export function renewalOf(host: string, { notBefore, notAfter }: { notBefore: Date; notAfter: Date }): Date {
  const life = notAfter.getTime() - notBefore.getTime();
  return new Date(notAfter.getTime() - life / 3 - (life / 20) * shareOf(host));
}

/** When a host is tried again after so many failures in a row: 10 minutes, doubled each time, up to a day; an order that never began sooner. */
export function retryOf(
  host: string,
  {
    failures,
    ordered,
    retryAfter,
    now,
  }: { failures: number; ordered: boolean; retryAfter: Date | undefined; now: Date },
): Date {
  const [first, most] = ordered ? [10 * MINUTE, DAY] : [MINUTE, HOUR];
  const backoff = Math.min(first * 2 ** Math.min(failures - 1, 20), most);
  const at = now.getTime() + backoff * (1 + shareOf(`${host} ${failures}`) / 4);
  const told = Math.min(retryAfter?.getTime() ?? 0, now.getTime() + 7 * DAY);
  return new Date(Math.max(at, told));
}

/** When the next order may be made, given those of the past; undefined: now. */
export function allowedFrom(orderedAt: Date[], now: Date): Date | undefined {
  const times = recentOrders(orderedAt, now)
    .map((at) => at.getTime())
    .sort((one, other) => one - other);
  const waits = [
    [ORDERS_AN_HOUR, HOUR],
    [ORDERS_A_WEEK, 7 * DAY],
  ] as const;
  const until = waits.map(([most, span]) => (times.at(-most) ?? Number.NEGATIVE_INFINITY) + span);
  const at = Math.max(...until);
  return at > now.getTime() ? new Date(at) : undefined;
}

/** Those that still count; none of a time to come, which a clock that was ahead has left. */
export function recentOrders(orderedAt: Date[], now: Date): Date[] {
  return orderedAt.filter((at) => at <= now && now.getTime() - at.getTime() < 7 * DAY);
}

/** The same for the same text at every start: 0 to 1. */
function shareOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE() / 2 ** 32;
}
