import { quoteWord } from '../commands/shell-words.ts';
import type { Host } from './git-remote.ts';

/** The arguments of `ssh` that run these words on the server: one string, quoted so that every word arrives as it is. */
export function sshArguments(
  words: string[],
  { host, terminal, input }: { host: Host; terminal: boolean; input: boolean },
): string[] {
  return [
    terminal ? '-t' : '-T',
    ...(input ? [] : ['-n']),
    ...(host.port === undefined ? [] : ['-p', String(host.port)]),
    `${host.user}@${host.host}`,
    words.map(quoteWord).join(' '),
  ];
}
