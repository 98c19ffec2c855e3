import type { Readable } from 'node:stream';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { CommandContext } from './command.ts';

const MAX_INPUT = 1024 * 1024;

/** All of standard input as text. Throws `invalid` for what is over a megabyte or not UTF-8. */
export async function readInput({
  stdin,
  signal,
}: Pick<CommandContext, 'stdin' | 'signal'>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of untilAborted(stdin, signal)) {
    bytes += chunk.length;
    if (bytes > MAX_INPUT) throw new PaasError('invalid', 'Standard input is over 1 MiB.');
    chunks.push(chunk);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new PaasError('invalid', 'Standard input is not UTF-8 text.', { cause: error });
  }
}

/**
 * Makes sure that the user means it: the app's name in `--confirm`, or typed on a terminal.
 * Throws `invalid` where neither is there or the name differs.
 */
export async function confirmByName(context: CommandContext, consequence: string): Promise<void> {
  const { app } = context;
  const given = context.flag('confirm') ?? (await askName(context, consequence));
  if (given === app) return;
  throw new PaasError(
    'invalid',
    `The confirmation ${JSON.stringify(given)} is not "${app}": nothing was changed.`,
  );
}

async function askName(context: CommandContext, consequence: string): Promise<string> {
  const { app, out } = context;
  if (!context.terminal) {
    throw new PaasError(
      'invalid',
      `${consequence}\nTo go ahead, say so with --confirm ${app}. Nothing was changed.`,
    );
  }
  out.note(consequence);
  out.prompt(`To go ahead, type "${app}": `);
  return readTypedLine(context);
}

/** The client's terminal is in raw mode: echo and editing are ours to do. */
async function readTypedLine({ stdin, signal, out }: CommandContext): Promise<string> {
  let line = '';
  for await (const chunk of untilAborted(stdin, signal)) {
    for (const character of chunk.toString()) {
      if (character === '\r' || character === '\n') {
        out.note('');
        return line;
      }
      if (character === '\x7f' || character === '\b') {
        if (line !== '') await new Promise<void>((resolve) => out.stderr.write('\b \b', () => resolve()));
        line = line.slice(0, -1);
      } else if (character >= ' ' && line.length < 200) {
        line += character;
        out.prompt(character);
      }
    }
  }
  return line;
}

async function* untilAborted(stdin: Readable, signal: AbortSignal): AsyncGenerator<Buffer> {
  const iterator = stdin.iterator({ destroyOnReturn: false });
  const gone = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  while (true) {
    const next = await Promise.race([iterator.next(), gone]);
    if (next === undefined) throw new PaasError('invalid', 'Interrupted.');
    if (next.done) return;
    yield next.value as Buffer;
  }
}
