import { PaasError } from '../../deploy/model/paas-error.ts';

/**
 * Splits a command line into words as a POSIX shell would (single and double quotes, backslash), and does nothing
 * else of what a shell does: `$`, backticks, `;`, `|`, `*` are ordinary characters.
 *
 * Only spaces and tabs separate words: ssh joins its arguments with spaces and drops their quotes, so a newline that
 * arrives unquoted was part of a value. Throws `invalid` for an open quote and for NUL.
 */
export function parseWords(line: string): string[] {
  if (line.includes('\0')) throw new PaasError('invalid', 'A command cannot contain a NUL character.');
  const words: string[] = [];
  let word: string | undefined;
  let index = 0;
  while (index < line.length) {
    const character = line[index]!;
    if (character === ' ' || character === '\t') {
      if (word !== undefined) words.push(word);
      word = undefined;
      index += 1;
      continue;
    }
    const piece = readPiece(line, index);
    word = (word ?? '') + piece.text;
    index = piece.end;
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** Quotes a word so that `parseWords` and every POSIX shell read it back as it was. */
export function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

interface Piece {
  text: string;
  /** Index of the first character after it. */
  end: number;
}

function readPiece(line: string, start: number): Piece {
  switch (line[start]) {
    case "'":
      return readSingleQuoted(line, start);
    case '"':
      return readDoubleQuoted(line, start);
    case '\\':
      if (start + 1 === line.length) return { text: '\\', end: start + 1 };
      return { text: line[start + 1]!, end: start + 2 };
    default:
      return { text: line[start]!, end: start + 1 };
  }
}

function readSingleQuoted(line: string, start: number): Piece {
  const end = line.indexOf("'", start + 1);
  if (end === -1) throw openQuote("'");
  return { text: line.slice(start + 1, end), end: end + 1 };
}

/** POSIX 2.2.3: a backslash is special only before `$`, backtick, `"`, backslash and newline. */
function readDoubleQuoted(line: string, start: number): Piece {
  let text = '';
  for (let index = start + 1; index < line.length; index += 1) {
    const character = line[index]!;
    if (character === '"') return { text, end: index + 1 };
    const next = line[index + 1];
    if (character === '\\' && next !== undefined && '$`"\\\n'.includes(next)) {
      if (next !== '\n') text += next;
      index += 1;
    } else {
      text += character;
    }
  }
  throw openQuote('"');
}

function openQuote(quote: string): PaasError {
  return new PaasError('invalid', `The command has an opening ${quote} without a closing one.`);
}
