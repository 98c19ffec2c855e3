import type { Command, DoctorFinding } from './command.ts';
import { EXIT } from './exit-status.ts';
import { commandHelp, noSuchHelp, overview, topicHelp } from './help.ts';
import { JSON_VERSION, VERSION } from './version.ts';

const doctor: Command = {
  name: 'doctor',
  summary: 'Check the server and say what to do about each problem',
  examples: ['doctor', 'doctor --json'],
  access: 'look',
  json: true,
  async run(context) {
    const findings = await context.doctor();
    const healthy = findings.every((finding) => finding.state !== 'problem');
    if (context.json) await context.out.json({ healthy, findings });
    else context.out.lines(findings.flatMap(findingLines));
    return healthy ? EXIT.done : EXIT.failed;
  },
};

const login: Command = {
  name: 'login',
  summary: 'Print a link that signs you in to the dashboard',
  details: ['The link works once, within five minutes. Who has it can sign in as you.'],
  examples: ['login'],
  access: 'look',
  json: true,
  async run({ platform, caller, out, json, dashboardUrl }) {
    const token = platform.sessions.createLoginToken(caller.user, caller.fingerprint);
    const url = `${dashboardUrl().replace(/\/$/, '')}/login/${token}`;
    if (json) return out.json({ url, user: caller.user, expiresInSeconds: 300 });
    out.note(`Open this link to sign in as ${caller.user}. It works once, within five minutes.`);
    out.line(url);
  },
};

const version: Command = {
  name: 'version',
  summary: "Print the server's version",
  details: [
    'With --json also the version of the JSON that commands print: within one, fields are only added.',
  ],
  examples: ['version'],
  access: 'look',
  json: true,
  async run({ out, json }) {
    if (json) return out.json({ paas: VERSION, json: JSON_VERSION });
    out.line(`paas ${VERSION}`);
  },
};

export const platformCommands: Command[] = [doctor, login, version];

/** `commands`: all of them, this one too. */
export function helpCommand(commands: () => Command[]): Command {
  return {
    name: 'help',
    aliases: ['commands'],
    summary: 'Show the topics, one topic or one command',
    args: [{ name: 'TOPIC|COMMAND', summary: 'e.g. ps or ps:scale' }],
    examples: ['help', 'help config', 'help ps:scale'],
    access: 'look',
    async run({ args, out }) {
      const [word] = args;
      if (word === undefined) {
        out.lines(overview(commands()));
        return EXIT.done;
      }
      const topic = topicHelp(word, commands());
      const command = commands().find(({ name, aliases }) => name === word || aliases?.includes(word));
      const lines = topic ?? (command && commandHelp(command));
      if (!lines) {
        out.error(noSuchHelp(word, commands()));
        return EXIT.usage;
      }
      out.lines(lines);
      return EXIT.done;
    },
  };
}

function findingLines({ name, state, message, advice }: DoctorFinding): string[] {
  const mark = { ok: 'ok      ', warning: 'warning ', problem: 'PROBLEM ' }[state];
  return [`${mark} ${name}: ${message}`, ...(advice && state !== 'ok' ? [`         → ${advice}`] : [])];
}
