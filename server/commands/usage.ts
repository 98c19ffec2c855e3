import { PaasError } from '../../deploy/model/paas-error.ts';
import type { Argument, Command, Flag } from './command.ts';

const APP_FLAG: Flag = { name: 'app', short: 'a', value: 'APP', summary: 'the app to work on' };
const JSON_FLAG: Flag = { name: 'json', summary: 'print JSON, nothing else, on standard output' };
const HELP_FLAG: Flag = { name: 'help', short: 'h', summary: 'show this help' };
const CONFIRM_FLAG: Flag = {
  name: 'confirm',
  short: 'c',
  value: 'APP',
  summary: 'do not ask: the name of the app again',
};
/** From the local client: the app of the git remote, which any app that is named outright outweighs. */
const DEFAULT_APP_FLAG: Flag = { name: 'default-app', value: 'APP', summary: '' };

/** All flags that a command takes, its own first. */
export function flagsOf(command: Command): Flag[] {
  return [
    ...(command.flags ?? []),
    ...(command.app ? [APP_FLAG, DEFAULT_APP_FLAG] : []),
    ...(command.confirms ? [CONFIRM_FLAG] : []),
    ...(command.json ? [JSON_FLAG] : []),
    HELP_FLAG,
  ];
}

/** False for flags that are between the local client and us. */
export function isShown(flag: Flag): boolean {
  return flag.summary !== '';
}

/** `ps:scale TYPE=QUANTITY... -a APP [--json]` */
export function usageLine(command: Command): string {
  const required = command.app === 'required' ? ['-a APP'] : [];
  const parts = [
    command.name,
    ...(command.app === 'new' ? ['APP'] : []),
    ...required,
    ...flagsOf(command)
      .filter(
        (flag) =>
          isShown(flag) && flag.name !== 'help' && !(flag.name === 'app' && command.app !== 'optional'),
      )
      .map((flag) => `[${flagText(flag)}]`),
    ...(command.args ?? []).map(argumentText),
  ];
  return parts.join(' ');
}

/** `-n, --num N` */
export function flagNames(flag: Flag): string {
  const names = `${flag.short ? `-${flag.short}, ` : ''}--${flag.name}`;
  return flag.value ? `${names} ${flag.value}` : names;
}

/** What is wrong, then how the command is used. */
export function usageError(command: Command, message: string): PaasError {
  return new PaasError('invalid', `${message}\nUsage: ${usageLine(command)}`);
}

function flagText(flag: Flag): string {
  const name = flag.short ? `-${flag.short}` : `--${flag.name}`;
  return flag.value ? `${name} ${flag.value}` : name;
}

function argumentText(argument: Argument): string {
  const name = argument.repeated ? `${argument.name}...` : argument.name;
  return argument.required ? name : `[${name}]`;
}
