import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { Command, Flag, Invocation } from './command.ts';
import { elsewhere } from './elsewhere.ts';
import { didYouMean } from './suggest.ts';
import { flagsOf, isShown, usageError } from './usage.ts';

/** What the grammar must know of the world. */
export interface Vocabulary {
  commands: Command[];
  appExists(name: string): boolean;
  appNames(): string[];
}

/**
 * Understands a command line in Heroku's grammar (`ps:scale web=3 -a app`) and Dokku's (`ps:scale app web=3`: the
 * first argument, where it names an app). Throws `invalid` for an unknown command, flag or a missing argument,
 * `not_found` for an unknown app.
 */
export function parseInvocation(words: string[], vocabulary: Vocabulary): Invocation {
  const { name, before, after } = splitAtCommand(words);
  const command = findCommand(name, vocabulary.commands);
  const scan = scanWords(command, [...before, ...after]);
  const help = scan.flags.has('help');
  const invocation: Invocation = {
    command,
    app: undefined,
    args: scan.positionals,
    flags: scan.flags,
    json: scan.flags.has('json'),
    help,
  };
  if (help) return invocation;
  takeApp(invocation, vocabulary);
  checkArguments(invocation);
  return invocation;
}

/** The word of a command line that names the command; `help` where there is none. */
export function commandWord(words: string[]): string {
  return splitAtCommand(words).name;
}

/** By name or alias. Throws `invalid` with near names. */
export function findCommand(name: string, commands: Command[]): Command {
  const found = commands.find((command) => command.name === name || command.aliases?.includes(name));
  if (found) return found;
  const instead = elsewhere.get(name);
  if (instead !== undefined)
    throw new PaasError('invalid', `There is no command ${quote(name)} here. In its place: ${instead}`);
  const names = commands.flatMap((command) => [command.name, ...(command.aliases ?? [])]);
  throw new PaasError(
    'invalid',
    `There is no command ${quote(name)}.${didYouMean(name, names)}\nSee \`help\` for all commands.`,
  );
}

const VALUE_FLAGS_IN_FRONT = new Set(['-a', '--app', '--default-app', '-r', '--remote']);

/** Flags may stand before the command's name; only those that name an app or a remote take a value there. */
export function splitAtCommand(words: string[]): { name: string; before: string[]; after: string[] } {
  let index = 0;
  while (index < words.length && words[index]!.startsWith('-')) {
    const word = words[index]!;
    if (word === '--') {
      words = words.toSpliced(index, 1);
      break;
    }
    if (word === '--version' || word === '-v') return { name: 'version', before: [], after: [] };
    index += VALUE_FLAGS_IN_FRONT.has(word) ? 2 : 1;
  }
  const name = words[index];
  if (name === undefined) return { name: 'help', before: [], after: [] };
  return { name, before: words.slice(0, index), after: words.slice(index + 1) };
}

export interface Scan {
  positionals: string[];
  flags: Map<string, string>;
}

/** Separates flags from arguments; from the word of a verbatim argument on everything is an argument. */
export function scanWords(command: Command, words: string[]): Scan {
  const known = flagsOf(command);
  const scan: Scan = { positionals: [], flags: new Map() };
  let index = 0;
  while (index < words.length) {
    const word = words[index]!;
    if (word === '--') {
      scan.positionals.push(...words.slice(index + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      if (startsVerbatim(command, scan)) {
        scan.positionals.push(...words.slice(index));
        break;
      }
      scan.positionals.push(word);
      index += 1;
      continue;
    }
    index = takeFlag({ command, known, words, index, scan });
  }
  return scan;
}

/** The command of `run` starts at the first word that is not the app, or another argument before it; flags after it are its own. */
function startsVerbatim(command: Command, scan: Scan): boolean {
  const before = command.args?.findIndex((argument) => argument.verbatim) ?? -1;
  if (before === -1) return false;
  const hasApp = scan.flags.has('app') || scan.flags.has('default-app');
  return scan.positionals.length >= before + (hasApp ? 0 : 1);
}

interface FlagPosition {
  command: Command;
  known: Flag[];
  words: string[];
  index: number;
  scan: Scan;
}

/** Returns the index of the next word. */
function takeFlag(position: FlagPosition): number {
  return position.words[position.index]!.startsWith('--') ? takeLongFlag(position) : takeShortFlags(position);
}

function takeLongFlag({ command, known, words, index, scan }: FlagPosition): number {
  const word = words[index]!;
  const equals = word.indexOf('=');
  const name = equals === -1 ? word.slice(2) : word.slice(2, equals);
  const flag = known.find((candidate) => candidate.name === name || candidate.aliases?.includes(name));
  if (!flag) throw unknownFlag(command, `--${name}`, known);
  if (flag.value === undefined) {
    if (equals !== -1) throw usageError(command, `--${name} takes no value.`);
    scan.flags.set(flag.name, '');
    return index + 1;
  }
  const value = equals === -1 ? words[index + 1] : word.slice(equals + 1);
  if (value === undefined) throw usageError(command, `--${name} needs a value: --${name} ${flag.value}.`);
  scan.flags.set(flag.name, value);
  return index + (equals === -1 ? 2 : 1);
}

/** `-t`, `-n 50`, `-n50`, `-tn 50` */
function takeShortFlags({ command, known, words, index, scan }: FlagPosition): number {
  const letters = words[index]!.slice(1);
  for (let at = 0; at < letters.length; at += 1) {
    const flag = known.find((candidate) => candidate.short === letters[at]);
    if (!flag) throw unknownFlag(command, `-${letters[at]}`, known);
    if (flag.value === undefined) {
      scan.flags.set(flag.name, '');
      continue;
    }
    const attached = letters.slice(at + 1).replace(/^=/, '');
    const value = attached || words[index + 1];
    if (value === undefined)
      throw usageError(command, `-${flag.short} needs a value: -${flag.short} ${flag.value}.`);
    scan.flags.set(flag.name, value);
    return index + (attached ? 1 : 2);
  }
  return index + 1;
}

/** An app named outright (flag, then first argument) outweighs the git remote's. */
function takeApp(invocation: Invocation, vocabulary: Vocabulary): void {
  const { command, args, flags } = invocation;
  if (!command.app) return;
  const named = flags.get('app');
  const first = args[0];
  const fallback = flags.get('default-app');
  if (named !== undefined) {
    invocation.app = named;
  } else if (first !== undefined && takesFirst(command, first, { fallback, vocabulary })) {
    invocation.app = first;
    invocation.args = args.slice(1);
  } else {
    invocation.app = fallback;
  }
  if (invocation.app === undefined && command.app !== 'optional') {
    if (args.some((word) => /^(-a|--app)(=|$)/.test(word)))
      throw usageError(command, 'Which app? Say so before the command: what follows it is its own.');
    if (first !== undefined && isAppLike(first)) throw unknownApp(first, vocabulary);
    throw usageError(command, 'Which app? Name it with -a APP.');
  }
  const mustExist = command.app !== 'new' && !command.takesGone;
  if (invocation.app !== undefined && mustExist && !vocabulary.appExists(invocation.app)) {
    throw unknownApp(invocation.app, vocabulary);
  }
}

function takesFirst(
  command: Command,
  first: string,
  { fallback, vocabulary }: { fallback: string | undefined; vocabulary: Vocabulary },
): boolean {
  if (command.app === 'new') return true;
  const takesNoArguments = (command.args ?? []).length === 0;
  if (takesNoArguments) return true;
  const verbatim = command.args!.some((argument) => argument.verbatim);
  if (verbatim && fallback !== undefined) return false;
  return vocabulary.appExists(first);
}

function checkArguments(invocation: Invocation): void {
  const { command, args } = invocation;
  const wanted = command.args ?? [];
  const missing = wanted.slice(args.length).find((argument) => argument.required);
  if (missing) throw usageError(command, `${missing.name} is missing: ${missing.summary}.`);
  if (!wanted.at(-1)?.repeated && args.length > wanted.length) {
    throw usageError(command, `${quote(args[wanted.length]!)} is one argument too many.`);
  }
}

function isAppLike(word: string): boolean {
  return /^[a-z][a-z0-9-]*$/.test(word);
}

function unknownApp(name: string, vocabulary: Vocabulary): PaasError {
  if (!isAppLike(name) || name.length > 63) {
    return new PaasError(
      'invalid',
      `${quote(name)} is no app name: lower-case letters, digits and hyphens, starting with a letter, at most 63.`,
    );
  }
  return new PaasError(
    'not_found',
    `There is no app ${quote(name)}.${didYouMean(name, vocabulary.appNames())}\nSee \`apps\` for all apps.`,
  );
}

function unknownFlag(command: Command, flag: string, known: Flag[]): PaasError {
  const names = known.filter(isShown).map(({ name }) => `--${name}`);
  return usageError(command, `${command.name} has no flag ${quote(flag)}.${didYouMean(flag, names)}`);
}
