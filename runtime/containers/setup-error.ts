import { EngineError } from '../engine-error.ts';

/** A process in a container could not be started: the message says what could not be done, and why. */
export class SetupError extends EngineError {
  /** As shells tell it: 127 no such program, 126 not executable, 125 anything else. */
  readonly exitCode: 125 | 126 | 127;

  constructor(exitCode: 125 | 126 | 127, message: string, options?: { cause?: unknown }) {
    super(exitCode === 125 ? 'internal' : 'invalid', message, options);
    this.name = 'SetupError';
    this.exitCode = exitCode;
  }
}
