import { type ErrorCode, PaasError } from '../../deploy/model/paas-error.ts';

const STATUS: Record<ErrorCode, number> = {
  invalid: 422,
  not_found: 404,
  conflict: 409,
  unauthorized: 401,
  forbidden: 403,
  unavailable: 503,
  internal: 500,
};

/** What a visitor may read of an error: the HTTP status, a title, and why. */
export interface PublicError {
  status: number;
  title: string;
  message: string;
}

const TITLES: Record<number, string> = {
  400: 'That request makes no sense here',
  401: 'Sign in first',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Not possible here',
  409: 'That is taken',
  413: 'Too much at once',
  422: 'That cannot be',
  503: 'Not available just now',
};

/** The HTTP status of a code: the one place where they meet. */
export function statusOf(code: ErrorCode): number {
  return STATUS[code];
}

/** Keeps the words of our own errors and says nothing of any other's. */
export function publicError(error: unknown): PublicError {
  if (error instanceof PaasError && error.code !== 'internal') {
    return describe(statusOf(error.code), error.message);
  }
  const status = statusOfExpress(error);
  if (status >= 400 && status < 500) {
    return describe(status, 'The request could not be read.');
  }
  return {
    status: 500,
    title: 'Something broke',
    message: 'This is a fault of the platform. Its log has the details; trying again may help.',
  };
}

function describe(status: number, message: string): PublicError {
  return { status, title: TITLES[status] ?? 'That did not work', message };
}

/** Express and its body parsers put a status on what they throw. */
function statusOfExpress(error: unknown): number {
  if (typeof error === 'object' && error !== null && 'status' in error && typeof error.status === 'number') {
    return error.status;
  }
  return 500;
}
