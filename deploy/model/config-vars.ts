import { quote } from './app-name.ts';
import { PaasError } from './paas-error.ts';

const MAX_BYTES = 64 * 1024;

/** Set by the platform for every dyno; a config var of that name would lie. */
const OWNED = new Set(['PORT', 'DYNO']);

/** Checks names and sizes; values may be anything but NUL. Throws `invalid` at the first that will not do. */
export function checkConfigVars(vars: Record<string, string>): void {
  for (const [name, value] of Object.entries(vars)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      throw new PaasError(
        'invalid',
        `${quote(name)} is no name for a config var: letters, digits and underscores, not starting with a digit.`,
      );
    }
    if (OWNED.has(name)) throw new PaasError('invalid', `${name} is set by the platform for every dyno.`);
    if (value.includes('\0'))
      throw new PaasError(
        'invalid',
        `The value of ${name} has a NUL character, which no environment can hold.`,
      );
    if (Buffer.byteLength(value) > MAX_BYTES)
      throw new PaasError('invalid', `The value of ${name} is over 64 KiB.`);
  }
}
