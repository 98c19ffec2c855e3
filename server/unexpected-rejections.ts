/**
 * What a promise that nobody awaits fails with is logged, and the process goes on: that is work beside what people wait for, and an end of
 * the process would take builds, sessions and requests along that have nothing to do with it. An exception that nobody catches still ends it: then a
 * piece of work stopped in the middle, and main starts the process again from what is on the disk.
 */
export function outliveRejections(log: (text: string, cause: unknown) => void): void {
  process.on('unhandledRejection', (cause) => log('Nobody expected this, and it goes on', cause));
}
