import type { Command } from './command.ts';
import { JSON_SHAPES } from './json-shapes.ts';
import { didYouMean } from './suggest.ts';
import { flagNames, flagsOf, isShown, usageLine } from './usage.ts';

/** What stands before the colon: `ps` of `ps:scale`. */
export function topicOf(command: Command): string {
  return command.name.split(':')[0]!;
}

/** `help`: one line a topic. */
export function overview(commands: Command[]): string[] {
  const topics = commands.filter((command) => command.name === topicOf(command));
  return [
    'Usage: COMMAND [-a APP] [ARGUMENTS] [FLAGS]',
    '',
    ...columns(topics.map((command) => [command.name, command.summary])),
    '',
    'More: `help TOPIC` for a topic with all its commands, `COMMAND --help` for one command.',
  ];
}

/** `help ps`: the commands of a topic; of a topic with one command, that one's page. undefined: no such topic. */
export function topicHelp(topic: string, commands: Command[]): string[] | undefined {
  const members = commands.filter((command) => topicOf(command) === topic);
  if (members.length === 0) return undefined;
  if (members.length === 1) return commandHelp(members[0]!);
  return [
    ...columns(members.map((command) => [command.name, command.summary])),
    '',
    'More: `COMMAND --help` for one command.',
  ];
}

/** `COMMAND --help` */
export function commandHelp(command: Command): string[] {
  const args = (command.args ?? []).map((argument) => [argument.name, argument.summary]);
  const flags = flagsOf(command)
    .filter(isShown)
    .map((flag) => [flagNames(flag), flag.summary]);
  return [
    `${command.summary}.`,
    '',
    `Usage: ${usageLine(command)}`,
    ...(command.aliases ? [`Also: ${command.aliases.join(', ')}`] : []),
    ...section('Arguments', columns(args)),
    ...section('Flags', columns(flags)),
    ...section(
      'Examples',
      command.examples.map((example) => `  ${example}`),
    ),
    ...section(
      'Notes',
      (command.details ?? []).map((line) => `  ${line}`),
    ),
    ...section('JSON', command.json ? JSON_SHAPES[command.name]!.split('\n').map((line) => `  ${line}`) : []),
  ];
}

/** For `help WORD` where WORD is neither topic nor command. */
export function noSuchHelp(word: string, commands: Command[]): string {
  const names = new Set(commands.flatMap((command) => [topicOf(command), command.name]));
  return `There is no help on ${JSON.stringify(word)}.${didYouMean(word, names)}`;
}

function section(title: string, lines: string[]): string[] {
  return lines.length === 0 ? [] : ['', `${title}:`, ...lines];
}

function columns(rows: string[][]): string[] {
  const width = Math.max(0, ...rows.map(([name]) => name!.length));
  return rows.map(([name, summary]) => `  ${name!.padEnd(width)}  ${summary}`);
}
