import { BuildpackError } from './buildpack.ts';

/** A process type is part of host names and dyno names: a DNS label (RFC 1123, 2.1). */
const label = /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$/;
const longestLabel = 63;

/**
 * Parses a Procfile: process type → command, in the file's order. Takes `#` lines, inline ` # …` outside quotes, CRLF
 * and empty lines. Throws `BuildpackError` with the line number for anything else that is not `type: command`, for a type
 * that comes twice, and for merge conflict markers.
 */
export function parseProcfile(text: string): Record<string, string> {
  const commands = new Map<string, string>();
  const seen = new Map<string, number>();
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const line = raw.trimEnd();
    if (line === '' || line.trimStart().startsWith('#')) continue;
    const { type, command } = parseLine(line, index + 1);
    const first = seen.get(type.toLowerCase());
    if (first !== undefined) refuse(index + 1, `process type "${type}" is already declared in line ${first}`);
    seen.set(type.toLowerCase(), index + 1);
    commands.set(type, command);
  }
  return Object.fromEntries(commands);
}

function parseLine(line: string, number: number): { type: string; command: string } {
  if (/^(<<<<<<<|=======|>>>>>>>|\|\|\|\|\|\|\|)/.test(line)) {
    refuse(number, 'a merge conflict marker is left here; resolve the conflict and commit again');
  }
  const [, type, rest] = /^([A-Za-z0-9_-]+):\s*(.+)$/.exec(line) ?? [];
  const command = withoutComment(rest ?? '');
  if (type === undefined || command === '') {
    refuse(
      number,
      `${JSON.stringify(line.slice(0, 80))} is not of the form "type: command", e.g. "web: npm start"`,
    );
  }
  checkType(type, number);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(command)) refuse(number, 'the command contains a control character');
  return { type, command };
}

function checkType(type: string, number: number): void {
  if (type.length > longestLabel) {
    refuse(
      number,
      `process type "${type}" has ${type.length} characters; at most ${longestLabel} are possible`,
    );
  }
  if (label.test(type)) return;
  const better = type.replaceAll('_', '-').replace(/^-+|-+$/g, '');
  const hint = better === '' ? '' : `; call it "${better}"`;
  refuse(
    number,
    `process type "${type}" is not letters, digits and inner hyphens (it becomes a host name)${hint}`,
  );
}

/** Cuts an unquoted ` # …`, which a shell would not read either; a `#` in quotes stays. */
function withoutComment(command: string): string {
  let quote = '';
  for (let index = 0; index < command.length; index++) {
    const character = command[index]!;
    if (character === '\\' && quote !== "'") index++;
    else if (quote !== '') quote = character === quote ? '' : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === '#' && (index === 0 || /\s/.test(command[index - 1]!))) {
      return command.slice(0, index).trimEnd();
    }
  }
  return command;
}

function refuse(line: number, problem: string): never {
  throw new BuildpackError(`Procfile, line ${line}: ${problem}.`);
}
