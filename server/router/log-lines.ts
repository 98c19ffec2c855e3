import type { RouterLogLine } from './route-table.ts';

/** As it goes over to control: `APP STAMP TEXT`. Text is printable ASCII on one line. */
export function logLine(app: string, stamp: string, text: string): string {
  return `${app} ${stamp} ${text}\n`;
}

/** `- N`: so many lines were lost. No app is called that. */
export function droppedLine(lines: number): string {
  return `- ${lines}\n`;
}

/** Reads a line of either kind, without its line feed. */
export function parseLogLine(line: string): RouterLogLine | { dropped: number } {
  const afterApp = line.indexOf(' ');
  const app = line.slice(0, afterApp);
  if (app === '-') return { dropped: Number(line.slice(afterApp + 1)) };
  const afterStamp = line.indexOf(' ', afterApp + 1);
  return { app, at: Number(line.slice(afterApp + 1, afterStamp)), text: line.slice(afterStamp + 1) };
}
