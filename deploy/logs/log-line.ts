import type { LogLine, LogQuery } from '../platform.ts';

const MAX_BYTES = 10_000;

/** `2026-08-10T05:52:56.417000+00:00 app[web.1]: text`, as Heroku writes it. */
export function formatLogLine(line: LogLine): string {
  const at = line.at.toISOString().replace('Z', '000+00:00');
  return `${at} ${line.source}[${line.dyno}]: ${line.text}`;
}

/** The reverse of formatLogLine; undefined for a line that was torn by a power cut. */
export function parseLogLine(text: string): LogLine | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3})\d{3}\+00:00 (\w+)\[([\w.-]+)\]: (.*)$/s.exec(text);
  if (!match) return undefined;
  return { at: new Date(`${match[1]}Z`), source: match[2]!, dyno: match[3]!, text: match[4]! };
}

/** True where the line passes the query's filters. */
export function matchesQuery(line: LogLine, query: LogQuery): boolean {
  if (query.source !== undefined && line.source !== query.source) return false;
  if (query.dyno !== undefined && line.dyno !== query.dyno) return false;
  if (query.type !== undefined && line.dyno !== query.type && !line.dyno.startsWith(`${query.type}.`))
    return false;
  return true;
}

/** One log line per line of text; those over 10,000 bytes are split. */
export function splitText(text: string): string[] {
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/);
  return lines.flatMap((line) => (Buffer.byteLength(line) <= MAX_BYTES ? [line] : splitLong(line)));
}

function splitLong(line: string): string[] {
  const bytes = Buffer.from(line);
  const parts: string[] = [];
  for (let start = 0; start < bytes.length; ) {
    let end = Math.min(start + MAX_BYTES, bytes.length);
    while (end < bytes.length && end > start + 1 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
    parts.push(bytes.subarray(start, end).toString());
    start = end;
  }
  return parts;
}
