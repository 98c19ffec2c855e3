import { appsCommands } from './apps.ts';
import { buildsCommands } from './builds.ts';
import type { Command } from './command.ts';
import { configCommands } from './config.ts';
import { domainsCommands } from './domains.ts';
import { keysCommands } from './keys.ts';
import { logsCommands } from './logs.ts';
import { helpCommand, platformCommands } from './platform-commands.ts';
import { psCommands } from './ps.ts';
import { releasesCommands } from './releases.ts';
import { runCommands } from './run.ts';

/** Every command, in the order in which help lists them. */
export const commands: Command[] = [
  ...appsCommands,
  ...psCommands,
  ...logsCommands,
  ...configCommands,
  ...releasesCommands,
  ...buildsCommands,
  ...runCommands,
  ...domainsCommands,
  ...keysCommands,
  ...platformCommands,
  helpCommand(() => commands),
];
