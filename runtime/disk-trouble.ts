/** What of a disk's own errors a person has to know, by the name of the errno. */
const IN_WORDS: Record<string, string> = {
  ENOSPC:
    'There is no space left on the disk of the runtime’s data. Make room (docker system df, docker system prune) and try again.',
  EDQUOT: 'The quota on the disk of the runtime’s data is used up. Make room and try again.',
  EIO: 'The disk of the runtime’s data reports errors. Look into the kernel’s log (dmesg).',
  EROFS: 'The disk of the runtime’s data can only be read. Look into the kernel’s log (dmesg).',
};

/**
 * What to tell a person, if what failed is the disk of the runtime's data: the error, or what caused it, has the name of such an errno as
 * its `code`. Undefined: it is something else.
 */
export function diskTrouble(error: unknown): string | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const words = IN_WORDS[(at as NodeJS.ErrnoException).code ?? ''];
    if (words) return `${words} (${(error as Error).message})`;
  }
  return undefined;
}
