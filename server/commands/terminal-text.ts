/**
 * Control characters (C0, DEL, C1), line and paragraph separators, and the marks that reorder text on screen
 * (CVE-2021-42574): printed raw they could move the cursor, retitle the window or forge a line.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: finding them is the point
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Shows what could drive a terminal as text: `\n`, `\x1b`, `\u202e`. */
export function escapeControls(text: string): string {
  return text.replace(UNSAFE, escapeOne);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const COLOUR = /^\x1b\[[0-9;:]*m/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const UNFINISHED_COLOUR = /^\x1b(?:\[[0-9;:]{0,64})?$/;

/**
 * Lets colours (CSI … m), tabs and line ends of an app's output through and shows every other control character
 * as text. Text may come in chunks that cut a sequence in two.
 */
export class TerminalFilter {
  #held = '';

  write(chunk: string): string {
    const text = this.#held + chunk;
    this.#held = '';
    let safe = '';
    let start = 0;
    for (const match of text.matchAll(UNSAFE)) {
      if (match.index < start) continue;
      safe += text.slice(start, match.index);
      const rest = text.slice(match.index, match.index + 80);
      if (isUnfinished(rest, text.length - match.index)) {
        this.#held = rest;
        return safe;
      }
      const kept = COLOUR.exec(rest)?.[0] ?? keptLineEnd(rest) ?? match[0];
      safe += kept === match[0] && !'\n\t'.includes(kept) ? escapeOne(kept) : kept.replace('\r\n', '\n');
      start = match.index + kept.length;
    }
    return safe + text.slice(start);
  }

  /** What was held back as the start of a sequence that never came. */
  end(): string {
    const rest = escapeControls(this.#held);
    this.#held = '';
    return rest;
  }
}

/** One line of an app's log, safe to print, with its colours. */
export function filterLine(text: string): string {
  const filter = new TerminalFilter();
  const safe = filter.write(text.replaceAll('\n', '\\n')) + filter.end();
  return safe.includes('\x1b') ? `${safe}\x1b[0m` : safe;
}

function isUnfinished(rest: string, remaining: number): boolean {
  return remaining === rest.length && (rest === '\r' || UNFINISHED_COLOUR.test(rest));
}

function keptLineEnd(rest: string): string | undefined {
  return rest.startsWith('\r\n') ? '\r\n' : undefined;
}

function escapeOne(character: string): string {
  const code = character.charCodeAt(0);
  return (
    SHORT[character] ??
    (code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`)
  );
}
