import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { commands } from '../../server/commands/all-commands.ts';
import { CertificateMaker } from '../deploy/tls/certificate-maker.ts';
import { parseShape } from '../server/commands/json-shape.ts';
import { Instance, run, whyNot } from './instance.ts';

const DOCS = join(import.meta.dirname, '..', '..', 'docs', 'commands.md');
const PORT = 10_000 + (process.pid % 900) * 10 + 9;

/** Each command that has `--json`, in an order in which there is something to list; `PEM`, `KEY`: standard input. */
const LINES = [
  'version',
  'doctor',
  'login',
  'apps',
  'apps:create json-other',
  'apps:info shop',
  'apps:info json-other',
  'ps shop',
  'ps:scale shop',
  'ps:scale shop web=2',
  `ports:add shop tcp:${PORT}:web:5000`,
  'ports shop',
  'ps:idle shop',
  'ps:idle shop 1h',
  'ps:sticky shop on',
  'limits shop',
  'limits:set shop web --cpu 0.5',
  'checks shop',
  'checks:run shop',
  'checks:boot-timeout shop 2m',
  'logs shop',
  'config:set shop A=1 B=2',
  'config:import shop < ENV',
  'config shop',
  'config:get shop A',
  'config:unset shop A',
  'releases shop',
  'releases:info shop',
  'releases:rollback shop v1',
  'releases:canary shop',
  'releases:canary shop 10%',
  'builds shop',
  'builds:info -a shop',
  'previews shop',
  'previews:on shop --keys A',
  'previews shop',
  'pipelines:add -a shop line --stage staging',
  'pipelines:add -a json-other line --stage production',
  'pipelines',
  'run:detached shop sleep 60',
  'run:list shop',
  'run:logs shop',
  'cron shop',
  'cron:add shop @daily true',
  'domains:add shop bücher.example/api --strip',
  'domains:add shop www.example.com',
  'domains shop',
  'redirects:add shop old.example.com www.example.com',
  'redirects shop',
  'certs:add - -a shop < PEM',
  'certs shop',
  'certs:info shop',
  'certs:auto shop',
  'global-cert:add - < PLATFORM',
  'global-cert',
  'https shop',
  'https:redirect shop on',
  'https:hsts shop 1h',
  'access:allow shop 10.0.0.0/8',
  'access shop',
  'http-auth:add shop ada',
  'http-auth shop',
  'rate-limit shop',
  'rate-limit:set shop 10/s',
  'error-pages:set shop 503 - < PAGE',
  'error-pages shop',
  'maintenance shop',
  'metrics shop',
  'keys:add zoe < KEY',
  'keys',
  'keys:remove zoe',
  'webhooks:add shop http://127.0.0.1:1/hook',
  'webhooks shop',
  'maintenance:on shop',
  'webhooks:deliveries shop',
  'events',
];

/** Without an authority there is nothing to print; `certs` has the same shape. */
const UNTRIED = ['certs:renew'];

describe('--json', function () {
  this.timeout(240_000);
  let paas: Instance;

  before(async function () {
    if (whyNot()) return this.skip();
    paas = await Instance.start({ PAAS_WEBHOOK_NETWORKS: '127.0.0.0/8' });
    const folder = await paas.checkout('node-plain', 'shop');
    paas.write(
      folder,
      'app.json',
      JSON.stringify({
        cron: [{ schedule: '0 3 * * *', command: 'true' }],
        healthchecks: { web: [{ type: 'startup', path: '/', attempts: 10, wait: 0.5 }] },
      }),
    );
    await paas.commit(folder, 'checks');
    await paas.deploy(folder);
  });

  after(async () => {
    await paas?.remove();
  });

  it('prints what docs/commands.md says, command by command', async () => {
    const shapes = documentedShapes();
    const tried = new Set<string>();
    const inputs = await makeInputs(paas);
    const problems: string[] = [];
    for (const line of LINES) {
      const [command, input] = line.split(' < ') as [string, string?];
      const name = command.split(' ')[0]!;
      const shape = shapes.get(name);
      const outcome = await paas.ssh(shape ? command.replace(name, `${name} --json`) : command, {
        ...(input !== undefined && { stdin: inputs[input]! }),
      });
      if (outcome.status !== 0 && name !== 'doctor')
        problems.push(`${line}: status ${outcome.status} ${outcome.stderr}`);
      if (!shape) continue;
      // A stream has an object on each line, all others one document on one line.
      const documents = outcome.stdout.split('\n').filter((text) => text !== '');
      if (!['logs', 'run:logs', 'events'].includes(name)) assert.equal(documents.length, 1, line);
      assert.ok(documents.length > 0, line);
      problems.push(
        ...documents.flatMap((text) => shape(JSON.parse(text)).map((what) => `${line}: ${what}`)),
      );
      tried.add(name);
    }
    assert.deepEqual(problems, []);
    assert.deepEqual(
      [...shapes.keys()].filter((name) => !tried.has(name)),
      UNTRIED,
    );
  });
});

/** Those of docs/commands.md by the name of the command, and of each command that has `--json`. */
function documentedShapes(): Map<string, (value: unknown) => string[]> {
  const page = readFileSync(DOCS, 'utf8');
  const sections = page.split(/^### /m).slice(1);
  const shapes = new Map(
    sections.flatMap((section) => {
      const shape = /^With `--json`:\n\n```ts\n(.*?)\n```$/ms.exec(section)?.[1];
      return shape === undefined ? [] : [[section.split('\n')[0]!, parseShape(shape)] as const];
    }),
  );
  const wanted = commands.filter(({ json }) => json).map(({ name }) => name);
  assert.deepEqual([...shapes.keys()].sort(), wanted.sort());
  return shapes;
}

async function makeInputs(paas: Instance): Promise<Record<string, string>> {
  const maker = new CertificateMaker();
  try {
    const [own, platform] = ['www.example.com', '*.localhost'].map((name) => maker.make({ names: [name] }));
    const key = join(paas.folder, 'zoe');
    const made = await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    assert.equal(made.status, 0);
    return {
      ENV: 'C=3\n',
      PEM: own!.chain + own!.key,
      PLATFORM: platform!.chain + platform!.key,
      PAGE: '<p>Later</p>',
      KEY: readFileSync(`${key}.pub`, 'utf8'),
    };
  } finally {
    maker.dispose();
  }
}
