import type { Operation } from '../../init/operation-list.ts';

/** For a list without a program to execute: closes the status pipe, which tells the runtime that all went well (init.c). */
export function planSuccess(): Operation[] {
  const STATUS = 4;
  return [{ call: 'close', args: [STATUS], purpose: 'tell that all went well' }];
}

/** Waits until the runtime closes `release`, or ends: what the process holds open lives until then. */
export function planHolding(): Operation[] {
  return [{ call: 'read', args: [{ descriptor: 'release' }, '', 1], purpose: 'wait for the runtime' }];
}
