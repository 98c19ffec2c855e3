/** How many builds run at once, and what each step of one may take. */
export interface BuildCapacity {
  atOnce: number;
  /** Bytes. */
  memory: number;
}

/** With less, npm and its like do not come far. */
const LEAST_MEMORY = 1024 ** 3;
/** The rest is for what serves. */
const SHARE = 0.75;

/** As many as there are cores, but with a gigabyte of memory each; `memory`: bytes that the machine has. */
export function buildCapacity({ cores, memory }: { cores: number; memory: number }): BuildCapacity {
  const atOnce = Math.max(1, Math.min(cores, Math.floor((memory * SHARE) / LEAST_MEMORY)));
  return { atOnce, memory: Math.floor((memory * SHARE) / atOnce) };
}
