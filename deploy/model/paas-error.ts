/** The closed set of reasons for which the platform refuses or fails. */
export type ErrorCode =
  | 'invalid'
  | 'not_found'
  | 'conflict'
  | 'unauthorized'
  | 'forbidden'
  | 'unavailable'
  | 'internal';

/** An error that a user may read: what could not be done, to what, why, and what to do next. */
export class PaasError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'PaasError';
    this.code = code;
  }
}
