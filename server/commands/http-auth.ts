import { randomBytes } from 'node:crypto';
import { readInput } from './client-input.ts';
import type { Command } from './command.ts';

const list: Command = {
  name: 'http-auth',
  aliases: ['http-auth:list', 'http-auth:report'],
  summary: 'List who may sign in to an app that asks for a password',
  app: 'required',
  examples: ['http-auth -a blog', 'http-auth blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const names = (platform.visitors.find(app).users ?? []).map(({ name }) => name);
    if (json) return out.json(names.map((name) => ({ name })));
    if (names.length === 0) return out.note(`${app} asks nobody for a password.`);
    out.lines(names);
  },
};

const add: Command = {
  name: 'http-auth:add',
  aliases: ['http-auth:add-user', 'http-auth:enable', 'http-auth:on'],
  summary: 'Have visitors of an app sign in, with this name and password among others',
  details: [
    'The router asks by basic authentication before the app hears of the request, and passes the Authorization field on. Passwords are',
    'kept as hashes (scrypt). Over plain HTTP they can be read on the way: see to HTTPS.',
  ],
  app: 'required',
  args: [
    { name: 'NAME', summary: 'e.g. ada', required: true },
    { name: 'PASSWORD', summary: 'without: one is made and printed; `-` reads it from standard input' },
  ],
  examples: [
    'http-auth:add ada -a blog',
    'http-auth:add blog ada "correct horse"',
    'http-auth:add ada - -a blog < password',
  ],
  access: 'change',
  json: true,
  stdin: (args) => args.includes('-'),
  async run(context) {
    const { platform, caller, app, args, out, json } = context;
    const [name, given] = args as [string, string?];
    const password =
      given === '-' ? (await readInput(context)).replace(/\r?\n$/, '') : (given ?? madePassword());
    await out.action(
      `Setting the password of ${name} for ${app}`,
      () => platform.visitors.setPassword(app, { name, password }, caller.user),
      () => 'done',
    );
    if (json) return out.json({ name, password: given === undefined ? password : null });
    if (given === undefined) out.line(password);
  },
};

const remove: Command = {
  name: 'http-auth:remove',
  aliases: ['http-auth:remove-user'],
  summary: 'Let somebody sign in no more; with the last one, the app asks for no password any more',
  app: 'required',
  args: [{ name: 'NAME', summary: 'e.g. ada', required: true }],
  examples: ['http-auth:remove ada -a blog'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    await out.action(
      `Removing ${args[0]} from ${app}`,
      () => platform.visitors.removeLogin(app, args[0]!, caller.user),
      () => 'done',
    );
  },
};

export const httpAuthCommands: Command[] = [list, add, remove];

function madePassword(): string {
  return randomBytes(15).toString('base64url');
}
