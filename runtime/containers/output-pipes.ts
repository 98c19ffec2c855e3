import { constants, openSync } from 'node:fs';
import type { Operation } from '../init/operation-list.ts';
import { OPEN } from '../syscall/constants.ts';
import type { LaunchSpec, OutputPipe } from './kernel.ts';

/** Where PID 1 has them, two descriptors for each pipe: its end, and the file (init.c). */
const PIPES = 5;
const MAX_PIPES = 2;
const F_SETFL = 4;

/** The pipes that PID 1 is to read; none with a terminal. */
export function pipesOf(stdio: LaunchSpec['stdio']): OutputPipe[] {
  return 'terminal' in stdio ? [] : (stdio.pipes ?? []);
}

/** By the names that `planPipes` knows. */
export function pipeDescriptors(pipes: OutputPipe[]): Record<string, number> {
  return Object.fromEntries(
    pipes.flatMap(({ read, file }, index) => [
      [pipeName(index), read],
      [fileName(index), file],
    ]),
  );
}

/** Puts pipes and files where PID 1 looks for them. Whoever takes what is left at the end must not wait for more. */
export function planPipes(pipes: OutputPipe[]): Operation[] {
  return pipes.flatMap((_, index) => {
    const place = PIPES + 2 * index;
    const purpose = `connect the ${pipeName(index)}`;
    return [
      { call: 'dup3', args: [{ descriptor: pipeName(index) }, place, OPEN.CLOEXEC], purpose },
      { call: 'dup3', args: [{ descriptor: fileName(index) }, place + 1, OPEN.CLOEXEC], purpose },
      { call: 'fcntl', args: [place, F_SETFL, constants.O_NONBLOCK], purpose },
    ];
  });
}

/** Everything but 0 to 2, the exit file, the status pipe and the output's (init.c), so that nothing of the host's is left open. */
export function planClosing(pipes: number): Operation[] {
  return [{ call: 'close_range', args: [PIPES + 2 * pipes, 0xffff_ffff, 0], purpose: 'close descriptors' }];
}

/** The ends of the pipes that a container's PID 1 reads; the caller closes them. None of one of an earlier version, or that has ended meanwhile. */
export function openPipesOf(pid: number): number[] {
  const { O_RDONLY, O_NONBLOCK } = constants;
  const pipes: number[] = [];
  for (let index = 0; index < MAX_PIPES; index++) {
    try {
      pipes.push(openSync(`/proc/${pid}/fd/${PIPES + 2 * index}`, O_RDONLY | O_NONBLOCK));
    } catch {
      // The kernel says EACCES, too, of a process that is no more.
      return pipes;
    }
  }
  return pipes;
}

function pipeName(index: number): string {
  return `output pipe ${index}`;
}

function fileName(index: number): string {
  return `output file ${index}`;
}
