import { constants } from 'node:os';
import { EngineError } from '../engine-error.ts';

/** `SIGTERM`, `term`, `15` → 15. Throws `invalid`. */
export function parseSignal(text: string): number {
  const name = text.toUpperCase().replace(/^(?!SIG)/, 'SIG');
  const number = /^\d{1,2}$/.test(text)
    ? Number(text)
    : (constants.signals as Record<string, number | undefined>)[name];
  if (number === undefined || number < 1 || number > 64) {
    throw new EngineError('invalid', `"${text}" is not a signal, e.g. SIGTERM.`);
  }
  return number;
}
