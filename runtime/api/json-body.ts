import { EngineError } from '../engine-error.ts';

/** The API's own requests nest some six deep; whoever reads them recursively must not run out of stack. */
const MAX_DEPTH = 32;

/** Reads JSON that a client sent. Throws `invalid`, also for what is nested too deeply. */
export function parseJson(text: string): unknown {
  const value = parse(text);
  let level = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) throw new EngineError('invalid', 'The request body is nested too deeply.');
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []));
  }
  return value;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new EngineError('invalid', 'The request body is not JSON.');
  }
}
