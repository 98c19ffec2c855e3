/** A run of text in one style: plain text, or class names and text, e.g. `['red bold', 'failed']`. */
export type Segment = string | [classes: string, text: string];

interface Style {
  foreground: string;
  background: string;
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
}

const PLAIN: Style = {
  foreground: '',
  background: '',
  bold: false,
  dim: false,
  italic: false,
  underline: false,
};
const COLOURS = ['black', 'red', 'green', 'yellow', 'blue', 'magenta', 'cyan', 'white'];
const MAX_LENGTH = 10_000;

/** CSI with its final byte, OSC up to its end, other two-byte escapes (ECMA-48, 5.4; xterm's ctlseqs). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the subject here
const ESCAPES = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\|$)|[@-Z\\^_]|[ -/]+[0-~])/g;

/** Characters that a page must not obey: controls except tab, and those that change the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const HARMFUL = /[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * Splits one line of a program's output into styled runs. Only colours and weights are kept, every other escape
 * is dropped; of a line that redraws itself with carriage returns the last state is kept.
 */
export function parseAnsi(line: string): Segment[] {
  const text = lastRedraw(line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH)}…` : line);
  if (!text.includes('\x1b')) return text === '' ? [] : [clean(text)];
  const segments: Segment[] = [];
  let style = PLAIN;
  let from = 0;
  for (const match of text.matchAll(ESCAPES)) {
    append(segments, style, text.slice(from, match.index));
    if (match[2] === 'm') style = applyCodes(style, match[1] ?? '');
    from = match.index + match[0].length;
  }
  append(segments, style, text.slice(from));
  return segments;
}

function lastRedraw(line: string): string {
  const trimmed = line.replace(/[\r\n]+$/, '');
  return trimmed.slice(trimmed.lastIndexOf('\r') + 1);
}

function append(segments: Segment[], style: Style, raw: string): void {
  const text = clean(raw);
  if (text === '') return;
  const classes = classesOf(style);
  segments.push(classes === '' ? text : [classes, text]);
}

function clean(text: string): string {
  return text.replace(HARMFUL, '\ufffd');
}

function classesOf(style: Style): string {
  return [
    style.foreground && `fg-${style.foreground}`,
    style.background && `bg-${style.background}`,
    style.bold && 'bold',
    style.dim && 'dim',
    style.italic && 'italic',
    style.underline && 'underline',
  ]
    .filter(Boolean)
    .join(' ');
}

/** Select Graphic Rendition, e.g. `1;31` (ECMA-48, 8.3.117). The 256 and 16 M colours are skipped, not shown. */
function applyCodes(before: Style, parameters: string): Style {
  const codes = parameters.split(/[;:]/).map((code) => Number.parseInt(code || '0', 10));
  let style = before;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0;
    if (code === 38 || code === 48) {
      i += codes[i + 1] === 5 ? 2 : 4;
    } else {
      style = applyCode(style, code);
    }
  }
  return style;
}

function applyCode(style: Style, code: number): Style {
  if (code === 0) return PLAIN;
  if (code === 1) return { ...style, bold: true };
  if (code === 2) return { ...style, dim: true };
  if (code === 3) return { ...style, italic: true };
  if (code === 4) return { ...style, underline: true };
  if (code === 22) return { ...style, bold: false, dim: false };
  if (code === 23) return { ...style, italic: false };
  if (code === 24) return { ...style, underline: false };
  if (code === 39) return { ...style, foreground: '' };
  if (code === 49) return { ...style, background: '' };
  if (code >= 30 && code <= 37) return { ...style, foreground: COLOURS[code - 30] ?? '' };
  if (code >= 40 && code <= 47) return { ...style, background: COLOURS[code - 40] ?? '' };
  if (code >= 90 && code <= 97) return { ...style, foreground: COLOURS[code - 90] ?? '', bold: true };
  return style;
}
