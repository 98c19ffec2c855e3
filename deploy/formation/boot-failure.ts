import type { ListeningSocket } from '../engine.ts';
import { PaasError } from '../model/paas-error.ts';
import type { Dyno, DynoContainer, DynoExit } from './dyno.ts';

/** A dyno that did not come up: why, in words, and what it said last. Code `invalid`. */
export class BootFailure extends PaasError {
  readonly dyno: string;
  /** Lines. */
  readonly said: string[];

  constructor(dyno: Dyno, container: DynoContainer, exit: DynoExit) {
    super('invalid', `${dyno.name} ${reasonOf(dyno, container, exit)}`);
    this.dyno = dyno.name;
    this.said = container.said;
  }
}

/** What the log says of a dyno that the kernel killed for want of memory. */
export const OUT_OF_MEMORY = 'Error R15 (Memory quota vastly exceeded)';

/** What a dyno of this type did, and what to do about it; `memory`: bytes that it may have. */
export function outOfMemory({ app, type, memory }: { app: string; type: string; memory: number }): string {
  const megabytes = Math.round(memory / 1024 ** 2);
  return `took more memory than it may (${megabytes} MB) and was killed. To give it more: paas limits:set ${type} --memory ${megabytes * 2}m -a ${app}`;
}

function reasonOf(dyno: Dyno, { killedFor, memory }: DynoContainer, exit: DynoExit): string {
  if (killedFor) return /[.?]$/.test(killedFor) ? killedFor : `${killedFor}.`;
  if (exit.oomKilled) return outOfMemory({ app: dyno.app, type: dyno.type, memory });
  if (exit.code === 0)
    return 'ended by itself (status 0) before it was up. A process of the Procfile has to go on running.';
  const why = STATUS_WORDS.get(exit.code);
  return `exited with status ${exit.code} before it was up${why ? `: ${why} Its command: ${dyno.command}` : '.'}`;
}

/** As shells have it (bash(1), EXIT STATUS). */
const STATUS_WORDS = new Map([
  [126, 'what its command names is not executable.'],
  [127, 'its command was not found. Is it installed with the dependencies of the app, and spelled right?'],
]);

/** Why a web dyno cannot be reached, though its time is over. `seconds`: that it had. `sockets`: where it listens, if that is known. */
export function notListening(
  { port, seconds }: { port: number; seconds: number },
  sockets: ListeningSocket[] | undefined,
): string {
  const failed = `did not listen on $PORT (${port}) within ${seconds} seconds`;
  if (!sockets) return `${failed}. Does the app bind to 0.0.0.0:$PORT?`;
  if (sockets.some((socket) => socket.port === port))
    return `${failed} where it can be reached: it listens on the loopback address alone. Bind to 0.0.0.0, not to localhost or 127.0.0.1.`;
  const others = [...new Set(sockets.map((socket) => socket.port))];
  if (others.length === 0) return `${failed}, and nowhere else. Does it start a server, and at once?`;
  return `${failed}, but on ${others.join(' and ')}. The port to listen on is in the environment variable PORT.`;
}
