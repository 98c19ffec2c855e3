import { escapeControls } from './terminal-text.ts';

/** Left-aligned columns, two spaces apart, header first; control characters in the cells are shown as text. */
export function textTable(header: string[], rows: string[][]): string[] {
  const cells = [header, ...rows].map((row) => row.map(escapeControls));
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  return cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}

/** `Name:   value` lines with the values in one column. */
export function fieldList(fields: Record<string, string>): string[] {
  const width = Math.max(0, ...Object.keys(fields).map((name) => name.length)) + 1;
  return Object.entries(fields).map(
    ([name, value]) => `${`${name}:`.padEnd(width)} ${escapeControls(value)}`,
  );
}
