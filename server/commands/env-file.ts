import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';

/**
 * Reads a `.env` file: `NAME=VALUE` lines, `#` comments, an optional `export `, CRLF. Values in single quotes are as they
 * stand, in double quotes `\n`, `\r`, `\t`, `\"`, `\\`, `\$` mean one character; both may run over several lines. A value without
 * quotes ends at ` #`. Throws `invalid` with the line number.
 */
export function parseEnvFile(text: string): Record<string, string> {
  const vars: Record<string, string> = {};
  const source = text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n');
  let index = 0;
  while (index < source.length) {
    const end = lineEnd(source, index);
    const line = source.slice(index, end);
    const start = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*/.exec(line);
    if (start) {
      const value = readValue(source, index + start[0].length);
      vars[start[1]!] = value.text;
      index = value.end;
    } else if (/^[ \t]*(#.*)?$/.test(line)) {
      index = end + 1;
    } else {
      throw invalidLine(source, index, `${quote(line)} is no NAME=VALUE`);
    }
  }
  return vars;
}

/** `end`: where the next line starts. */
function readValue(source: string, start: number): { text: string; end: number } {
  const first = source[start];
  if (first === "'" || first === '"') return readQuoted(source, start);
  const end = lineEnd(source, start);
  const text = source
    .slice(start, end)
    .replace(/(^|[ \t])#.*$/, '')
    .trim();
  return { text, end: end + 1 };
}

function readQuoted(source: string, start: number): { text: string; end: number } {
  const mark = source[start]!;
  let text = '';
  for (let index = start + 1; index < source.length; index += 1) {
    const character = source[index]!;
    if (character === mark) {
      return readAfterQuotes(source, { quoted: text, mark, start, after: index + 1 });
    }
    if (character === '\\' && mark === '"' && index + 1 < source.length) {
      index += 1;
      text += escapedCharacter(source[index]!);
    } else {
      text += character;
    }
  }
  throw invalidLine(source, start, `a value opens with ${mark} and never closes`);
}

/** `'it'\''s'`, as a shell and `config -s` write a single quote, goes on; otherwise only a comment may follow. */
function readAfterQuotes(
  source: string,
  { quoted, mark, start, after }: { quoted: string; mark: string; start: number; after: number },
): { text: string; end: number } {
  if (mark === "'" && source.startsWith(`\\''`, after)) {
    const rest = readQuoted(source, after + 2);
    return { text: `${quoted}'${rest.text}`, end: rest.end };
  }
  const end = lineEnd(source, after);
  if (!/^[ \t]*(#.*)?$/.test(source.slice(after, end))) {
    throw invalidLine(source, start, 'there is more after the closing quote');
  }
  return { text: quoted, end: end + 1 };
}

function escapedCharacter(character: string): string {
  const meanings: Record<string, string> = { n: '\n', r: '\r', t: '\t', '"': '"', '\\': '\\', $: '$' };
  return meanings[character] ?? `\\${character}`;
}

function lineEnd(source: string, from: number): number {
  const end = source.indexOf('\n', from);
  return end === -1 ? source.length : end;
}

function invalidLine(source: string, index: number, problem: string): PaasError {
  const number = source.slice(0, index).split('\n').length;
  return new PaasError('invalid', `Line ${number}: ${problem}. Nothing was changed.`);
}
