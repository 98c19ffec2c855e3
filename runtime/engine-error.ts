/** The closed set of reasons for which the engine refuses or fails. */
export type EngineErrorCode =
  | 'invalid'
  | 'not_found'
  | 'conflict'
  | 'forbidden'
  | 'unsupported'
  | 'unavailable'
  | 'internal';

/** An error whose message a client of the Engine API may read. */
export class EngineError extends Error {
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'EngineError';
    this.code = code;
  }
}
