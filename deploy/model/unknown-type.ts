import { quote } from './app-name.ts';
import { PaasError } from './paas-error.ts';

/** `invalid`, with the process types that there are. */
export function unknownType(type: string, known: string[]): PaasError {
  return new PaasError(
    'invalid',
    `There is no process type ${quote(type)}. The app has: ${known.join(', ')}.`,
  );
}
