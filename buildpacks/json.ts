import { BuildpackError } from './buildpack.ts';

/** Parses JSON that the developer wrote; throws `BuildpackError` with file, line, column and the line itself. */
export function parseJson(text: string, file: string): unknown {
  const json = text.replace(/^\uFEFF/, '');
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new BuildpackError(describe(json, { file, problem: (error as Error).message }), { cause: error });
  }
}

/** `value` as a plain object, `{}` where it is none; for optional parts whose shape nobody promised. */
export function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

/** The entries of `value` that are strings, in order. */
export function stringEntries(value: unknown): Map<string, string> {
  const entries = Object.entries(asObject(value));
  return new Map(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}

function describe(json: string, { file, problem }: { file: string; problem: string }): string {
  const offset = positionIn(problem) ?? firstWrong(json);
  const before = json.slice(0, offset).split('\n');
  const column = before.at(-1)!.length + 1;
  const line = json.split('\n')[before.length - 1]!.trimEnd();
  const reason = problem.replace(/( in JSON)? at position .*$/s, '').replace(/, .* is not valid JSON$/s, '');
  return [
    `${file} is not valid JSON, line ${before.length}, column ${column}: ${reason}`,
    ...(line.length <= 120 ? [`  ${line.replaceAll('\t', ' ')}`, `  ${' '.repeat(column - 1)}^`] : []),
  ].join('\n');
}

function positionIn(problem: string): number | undefined {
  const digits = /at position (\d+)/.exec(problem)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** V8 gives no position for an unexpected token: it is after the longest beginning that only lacks its end. */
function firstWrong(json: string): number {
  let [right, wrong] = [0, json.length + 1];
  while (wrong - right > 1) {
    const middle = Math.floor((right + wrong) / 2);
    if (couldGoOn(json.slice(0, middle))) right = middle;
    else wrong = middle;
  }
  return right;
}

function couldGoOn(beginning: string): boolean {
  try {
    JSON.parse(beginning);
    return true;
  } catch (error) {
    const problem = (error as Error).message;
    return positionIn(problem) === beginning.length || problem.startsWith('Unexpected end');
  }
}
