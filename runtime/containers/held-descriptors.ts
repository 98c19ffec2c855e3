import { closeSync } from 'node:fs';
import type { LaunchSpec } from './kernel.ts';
import { pipeDescriptors } from './output-pipes.ts';

/** Descriptors that are closed at the end of a block. */
export class HeldDescriptors implements Disposable {
  readonly #all: number[] = [];

  add<T extends Record<string, number>>(descriptors: T): T {
    this.#all.push(...Object.values(descriptors));
    return descriptors;
  }

  [Symbol.dispose](): void {
    for (const descriptor of this.#all) closeSync(descriptor);
  }
}

/** Those of the spec that a process gets, by the names that its operations know; none for a terminal. */
export function stdioOf(stdio: LaunchSpec['stdio']): Record<string, number> {
  if ('terminal' in stdio) return {};
  const { stdin, stdout, stderr, pipes = [] } = stdio;
  return { ...(stdin === undefined ? {} : { stdin }), stdout, stderr, ...pipeDescriptors(pipes) };
}
