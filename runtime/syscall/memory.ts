import koffi from 'koffi';

const mallocTrim = koffi.load(null).func('int malloc_trim(size_t pad)');

/** Gives back to the system what malloc keeps for later; see malloc_trim(3). */
export function trimMemory(): void {
  mallocTrim(0);
}
