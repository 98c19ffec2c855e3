/** Says on stderr what is being done and how long it took; on a terminal also the last line of its output. */
export async function withProgress<T>(
  title: string,
  work: (onLine: (line: string) => void) => Promise<T>,
): Promise<T> {
  const begun = Date.now();
  const terminal = process.stderr.isTTY && process.env.TERM !== 'dumb';
  process.stderr.write(`paas: ${title} …\n`);
  const result = await work((line) => {
    if (terminal) process.stderr.write(`\r\x1b[K  ${line.slice(0, (process.stderr.columns || 80) - 3)}`);
  }).finally(() => terminal && process.stderr.write('\r\x1b[K'));
  process.stderr.write(`paas: done in ${((Date.now() - begun) / 1000).toFixed(1)} s\n`);
  return result;
}
