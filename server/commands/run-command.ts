import { PaasError } from '../../deploy/model/paas-error.ts';
import type { Apps } from '../../deploy/platform.ts';
import { commands } from './all-commands.ts';
import type { Caller, ClientStreams, CommandServices, Invocation } from './command.ts';
import { EXIT, EXIT_OF_CODE } from './exit-status.ts';
import { parseInvocation } from './grammar.ts';
import { commandHelp } from './help.ts';
import { parseWords } from './shell-words.ts';

/** Runs one command line for a signed-in caller. Resolves with the exit status; never rejects. */
export async function runCommand(
  line: string,
  options: { caller: Caller; client: ClientStreams; services: CommandServices },
): Promise<number> {
  const { caller, client, services } = options;
  try {
    const invocation = understand(line, services);
    if (invocation.help) {
      client.out.lines(commandHelp(invocation.command));
      return EXIT.done;
    }
    checkAccess(invocation, { caller, services });
    const status = await invocation.command.run({
      ...services,
      ...client,
      caller,
      app: invocation.app ?? '',
      args: invocation.args,
      json: invocation.json,
      flag: (name) => invocation.flags.get(name),
    });
    if (!client.signal.aborted) return status ?? EXIT.done;
    if (invocation.command.interrupted) client.out.note(invocation.command.interrupted);
    return EXIT.interrupted;
  } catch (error) {
    return reportFailure(error, { client, services });
  }
}

function understand(line: string, services: CommandServices): Invocation {
  const { apps } = services.platform;
  return parseInvocation(parseWords(line.trim()), {
    commands,
    appNames: () => apps.list().map((app) => app.name),
    appExists: (name) => exists(apps, name),
  });
}

function checkAccess(
  { command }: Invocation,
  { caller, services }: { caller: Caller; services: CommandServices },
): void {
  if (services.may(caller, command.access)) return;
  throw new PaasError(
    'forbidden',
    `${caller.user} may not run ${command.name}. Ask whoever runs this server.`,
  );
}

/** Tells the user what a user may know and the log the rest. Returns the exit status. */
export function reportFailure(
  error: unknown,
  {
    client,
    services,
  }: { client: Pick<ClientStreams, 'out' | 'signal'>; services: Pick<CommandServices, 'log'> },
): number {
  if (client.signal.aborted) return EXIT.interrupted;
  if (error instanceof PaasError) {
    if (error.code === 'internal') services.log(error.message, error.cause);
    client.out.error(error.message);
    return EXIT_OF_CODE[error.code];
  }
  services.log('A command failed unexpectedly.', error);
  client.out.error('Something went wrong on the server. Its log says what; trying again may help.');
  return EXIT.failed;
}

function exists(apps: Apps, name: string): boolean {
  try {
    return apps.find(name) !== undefined;
  } catch (error) {
    if (error instanceof PaasError && (error.code === 'not_found' || error.code === 'invalid')) return false;
    throw error;
  }
}
