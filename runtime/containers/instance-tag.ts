import { createHash } from 'node:crypto';

/** Six hex digits in every name that the kernel sees, so that instances on one machine keep apart. `run`: PAAS_RUN. */
export function instanceTag(run: string): string {
  return createHash('sha256').update(run).digest('hex').slice(0, 6);
}
