import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';

/** Whether `on` or `off` is said. Throws `invalid` for anything else. */
export function parseOnOff(word: string): boolean {
  if (word !== 'on' && word !== 'off')
    throw new PaasError('invalid', `${quote(word)} is neither on nor off.`);
  return word === 'on';
}
