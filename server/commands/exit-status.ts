import type { ErrorCode } from '../../deploy/model/paas-error.ts';

/** What a command's exit status means; `run` passes on that of the command in the dyno. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  locked: 5,
  timedOut: 124,
  interrupted: 130,
} as const;

/** The exit status for each reason for which the platform refuses or fails. */
export const EXIT_OF_CODE: Record<ErrorCode, number> = {
  invalid: EXIT.usage,
  not_found: EXIT.notFound,
  conflict: EXIT.locked,
  unauthorized: EXIT.denied,
  forbidden: EXIT.denied,
  unavailable: EXIT.failed,
  internal: EXIT.failed,
};
