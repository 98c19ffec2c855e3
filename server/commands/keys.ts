import { PaasError } from '../../deploy/model/paas-error.ts';
import type { KeyView } from '../../deploy/platform/access.ts';
import { readInput } from './client-input.ts';
import type { Command } from './command.ts';
import { textTable } from './text-table.ts';
import { timeText } from './time-text.ts';

const list: Command = {
  name: 'keys',
  aliases: ['keys:list', 'ssh-keys', 'ssh-keys:list'],
  summary: 'List the SSH keys that may sign in',
  examples: ['keys', 'keys --json'],
  access: 'look',
  json: true,
  async run({ platform, out, json }) {
    const keys = platform.keys.list();
    if (json) return out.json(keys.map(keyJson));
    out.lines(textTable(['USER', 'FINGERPRINT', 'COMMENT', 'LAST USED'], keys.map(keyRow)));
  },
};

const add: Command = {
  name: 'keys:add',
  aliases: ['ssh-keys:add'],
  summary: 'Let a public key sign in as a user',
  details: ['A user that does not exist yet is made. The key may come on standard input.'],
  args: [
    { name: 'USER', summary: 'whom the key names', required: true },
    { name: 'KEY', summary: 'the line of the .pub file; without it, standard input is read', repeated: true },
  ],
  examples: ['keys:add alice < ~/.ssh/id_ed25519.pub', 'keys:add alice "ssh-ed25519 AAAA… alice@laptop"'],
  access: 'operate',
  json: true,
  stdin: (args) => args.length < 2,
  async run(context) {
    const { platform, caller, args, out, json } = context;
    const [user, ...words] = args;
    const publicKey = words.length > 0 ? words.join(' ') : (await readInput(context)).trim();
    if (publicKey === '') throw new PaasError('invalid', 'There is no key: give the line of a .pub file.');
    const key = await out.action(
      `Adding a key for ${user}`,
      async () => platform.keys.add(user!, publicKey, caller.user),
      () => 'done',
    );
    if (json) await out.json(keyJson(key));
    else out.line(`${key.fingerprint} ${key.comment}`.trim());
  },
};

const remove: Command = {
  name: 'keys:remove',
  aliases: ['ssh-keys:remove'],
  summary: 'Bar a key, or all keys of a user, and end their sessions',
  args: [{ name: 'FINGERPRINT|USER', summary: 'SHA256:… or the name of a user', required: true }],
  examples: ['keys:remove SHA256:uNiVztksCsDhcc0u9e8BrrZhZwBvQRKGU4JC8yuAcmY', 'keys:remove alice'],
  access: 'operate',
  json: true,
  async run({ platform, caller, args, out, json }) {
    const removed = await out.action(
      `Removing ${args[0]}`,
      async () => platform.keys.remove(args[0]!, caller.user),
      (keys) => `done, ${keys.length} ${keys.length === 1 ? 'key' : 'keys'}`,
    );
    if (json) await out.json(removed.map(keyJson));
  },
};

export const keysCommands: Command[] = [list, add, remove];

function keyRow(key: KeyView): string[] {
  return [key.user, key.fingerprint, key.comment, key.lastUsedAt ? timeText(key.lastUsedAt) : 'never'];
}

function keyJson(key: KeyView) {
  return {
    user: key.user,
    fingerprint: key.fingerprint,
    comment: key.comment,
    createdAt: key.createdAt.toISOString(),
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
  };
}
