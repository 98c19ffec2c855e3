import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';

const SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 };
const LONGEST = 365 * SECONDS.d;

/** Seconds of `90s`, `30m`, `2h`, `3d`; a bare number is seconds. From 1 s to a year. Throws `invalid`. */
export function parseDuration(text: string): number {
  const match = /^(\d{1,9})([smhd]?)$/.exec(text);
  const seconds = match ? Number(match[1]) * SECONDS[(match[2] || 's') as keyof typeof SECONDS] : 0;
  if (seconds < 1 || seconds > LONGEST)
    throw new PaasError('invalid', `${quote(text)} is no time: it should look like 90s, 30m, 2h or 3d.`);
  return seconds;
}
