import { constants } from 'node:os';
import { EngineError } from '../engine-error.ts';

/** Real-time signals, as glibc counts them; see signal(7). */
const REAL_TIME = { MIN: 34, MAX: 64 };

/** `SIGTERM`, `term`, `15` → 15; `SIGRTMIN+3` → 37. Throws `invalid`. */
export function parseSignal(text: string): number {
  const name = text.toUpperCase().replace(/^(?!SIG)/, 'SIG');
  const number = /^\d{1,2}$/.test(text)
    ? Number(text)
    : ((constants.signals as Record<string, number | undefined>)[name] ?? realTimeSignal(name));
  if (number === undefined || number < 1 || number > 64) {
    throw new EngineError('invalid', `"${text}" is not a signal, e.g. SIGTERM.`);
  }
  return number;
}

/** What `SIGRTMIN`, `SIGRTMIN+3` or `SIGRTMAX-14` means; systemd ends by one of them. */
function realTimeSignal(name: string): number | undefined {
  const [, from, distance = '0'] = /^SIGRT(MIN|MAX)((?<=MIN)\+\d{1,2}|(?<=MAX)-\d{1,2})?$/.exec(name) ?? [];
  if (!from) return undefined;
  const number = REAL_TIME[from as keyof typeof REAL_TIME] + Number(distance);
  return number >= REAL_TIME.MIN ? number : undefined;
}
