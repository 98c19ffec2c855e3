import { quote } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { mappingText, type PortMapping, parsePortMapping } from '../../deploy/model/port-mapping.ts';
import type { Command } from './command.ts';
import { textTable } from './text-table.ts';

const list: Command = {
  name: 'ports',
  aliases: ['ports:list', 'ports:report'],
  summary: "List the machine's ports that lead to an app, beside the router's",
  app: 'required',
  examples: ['ports -a blog', 'ports blog --json'],
  access: 'look',
  json: true,
  async run({ platform, app, out, json }) {
    const ports = platform.ports.list(app);
    if (json)
      return out.json(ports.map(({ problem, ...mapping }) => ({ ...mapping, problem: problem ?? null })));
    if (ports.length === 0) return out.note(`${app} has no ports of its own.`);
    const rows = ports.map(({ protocol, port, type, target, problem }) => {
      return [protocol, String(port), type, String(target), problem ?? ''];
    });
    out.lines(textTable(['PROTOCOL', 'PORT', 'TYPE', 'TARGET', 'PROBLEM'], rows));
  },
};

const add: Command = {
  name: 'ports:add',
  summary: 'Let a port of the machine lead to a port of an app’s dynos',
  details: [
    'http: the router listens there, from port 1024 on, and sends every request to the dynos of the type, whatever its host name. tcp and udp:',
    'each connection goes to the next of the dynos, unread, and stays there; the dyno sees the client’s address. A deploy or restart',
    'leads new connections to the new dynos; old ones end with the old dynos.',
  ],
  app: 'required',
  args: [
    {
      name: 'MAPPING',
      summary: 'PROTOCOL:PORT:TYPE:TARGET, e.g. tcp:5432:db:5432; without TYPE: web',
      required: true,
    },
  ],
  examples: [
    'ports:add http:8080:web:3000 -a blog',
    'ports:add tcp:5432:db:5432 -a blog',
    'ports:add blog udp:5353:dns:53',
  ],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const mapping = parsePortMapping(args[0]!);
    await out.action(
      `Adding port ${mappingText(mapping)} to ${app}`,
      () => platform.ports.add(app, mapping, caller.user),
      () => 'done',
    );
  },
};

const remove: Command = {
  name: 'ports:remove',
  summary: 'Let a port of the machine lead to an app no more',
  app: 'required',
  args: [{ name: 'PORT', summary: 'e.g. tcp:5432, or the whole mapping', required: true }],
  examples: ['ports:remove tcp:5432 -a blog', 'ports:remove blog http:8080:web:3000'],
  access: 'change',
  async run({ platform, caller, app, args, out }) {
    const port = parsePort(args[0]!);
    await out.action(
      `Removing port ${port.protocol}:${port.port} from ${app}`,
      () => platform.ports.remove(app, port, caller.user),
      () => 'done',
    );
  },
};

export const portsCommands: Command[] = [list, add, remove];

/** `tcp:5432`, or a whole mapping. */
function parsePort(text: string): Pick<PortMapping, 'protocol' | 'port'> {
  const match = /^(http|tcp|udp):(\d{1,5})(:.*)?$/.exec(text);
  if (!match) throw new PaasError('invalid', `${quote(text)} is no port: it should look like tcp:5432.`);
  return { protocol: match[1] as PortMapping['protocol'], port: Number(match[2]) };
}
