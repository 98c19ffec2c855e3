import { commands as allCommands } from './all-commands.ts';
import type { Command } from './command.ts';
import { topicOf } from './help.ts';
import { JSON_SHAPES } from './json-shapes.ts';
import { flagNames, flagsOf, isShown, usageLine } from './usage.ts';

// Prints docs/commands.md:  node server/commands/reference.ts > docs/commands.md

/** The page of all commands, as Markdown. */
export function renderReference(commands: Command[]): string {
  const topics = [...new Set(commands.map(topicOf))];
  return `${[INTRODUCTION, ...topics.map((topic) => renderTopic(topic, commands)), STATUSES].join('\n\n')}\n`;
}

const INTRODUCTION = `# Commands

<!-- Generated from server/commands: node server/commands/reference.ts > docs/commands.md -->

Every command runs on the server, over SSH. There are two ways to give one:

\`\`\`
ssh -p 2222 paas@HOST ps:scale web=3 -a blog     # from anywhere
paas ps:scale web=3                              # in the app's repository, by the local client
\`\`\`

The local client (\`server/cli/paas\`) takes server and app from the git remote named \`paas\`, or another one with
\`--remote NAME\`. Without a repository: \`PAAS_HOST=example.com:2222\` and \`-a APP\` or \`PAAS_APP\`.

- The app is named by \`-a APP\`, or stands first, as in Dokku: \`ps:scale blog web=3\`.
- Flags may stand anywhere; \`--\` ends them. After the command of \`run\` they belong to it.
- Data goes to standard output, progress and errors to standard error. \`--json\` prints JSON and nothing else on standard
  output: one document on one line, or of \`logs\`, \`run:logs\` and \`events\` one for each line. It stands below in the words of TypeScript's types; \`time\` is a text
  like \`2026-08-10T10:00:00.000Z\`, memory is in bytes, \`null\` is what is not there. Fields may be added: \`version --json\` says when one goes or changes.
- \`ssh\` joins its arguments with spaces and drops their quotes. A value with spaces needs quotes twice:
  \`ssh paas@HOST "config:set A='x y' -a blog"\`. The local client sees to that by itself.
- Keys of the types ed25519, ECDSA, RSA (2048 bits or more, SHA-2) and security keys (\`ed25519-sk\`, \`ecdsa-sk\`, touched) can
  sign in. The server asks every key that is offered to sign, registered or not, so that nobody can find out which are: with
  several keys, say which one in \`~/.ssh/config\` (\`IdentityFile\`, \`IdentitiesOnly yes\`).
- Recent OpenSSH clients warn that the key exchange is not post-quantum. That is so: our SSH library has none yet.`;

const STATUSES = `## Exit status

| status | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | usage: unknown command or flag, missing or malformed argument |
| 3 | not found: app, release, build, config var |
| 4 | denied |
| 5 | locked or taken |
| 124 | timed out |
| 130 | interrupted |

\`run\` passes on the status of its command.`;

function renderTopic(topic: string, commands: Command[]): string {
  const members = commands.filter((command) => topicOf(command) === topic);
  return [`## ${topic}`, ...members.map(renderCommand)].join('\n\n');
}

function renderCommand(command: Command): string {
  const args = (command.args ?? []).map(({ name, summary }) => row(name, summary));
  const flags = flagsOf(command)
    .filter((flag) => isShown(flag) && !['help', 'app', 'json', 'confirm'].includes(flag.name))
    .map((flag) => row(flagNames(flag), flag.summary));
  return [
    `### ${command.name}`,
    `${command.summary}.${command.aliases ? ` Also: ${command.aliases.map(code).join(', ')}.` : ''}`,
    ...(command.details ? [command.details.join('\n')] : []),
    ['```', usageLine(command), '```'].join('\n'),
    ...(args.length + flags.length > 0 ? [['| | |', '|---|---|', ...args, ...flags].join('\n')] : []),
    `Examples: ${command.examples.map(code).join(' · ')}`,
    ...(command.json ? [['With `--json`:', '', '```ts', JSON_SHAPES[command.name], '```'].join('\n')] : []),
  ].join('\n\n');
}

function row(name: string, summary: string): string {
  return `| ${code(name).replaceAll('|', '\\|')} | ${summary.replaceAll('|', '\\|')} |`;
}

/** Inline code that may hold backticks. */
function code(text: string): string {
  return text.includes('`') ? `\`\` ${text} \`\`` : `\`${text}\``;
}

if (import.meta.main) process.stdout.write(renderReference(allCommands));
