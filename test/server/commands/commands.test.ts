import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { SshKeys } from '../../../deploy/access/keys.ts';
import { DashboardSessions } from '../../../deploy/access/sessions.ts';
import { PaasError } from '../../../deploy/model/paas-error.ts';
import { AccessStore } from '../../../deploy/store/access-store.ts';
import { Database } from '../../../deploy/store/database.ts';
import { commands } from '../../../server/commands/all-commands.ts';
import { renderReference } from '../../../server/commands/reference.ts';
import { quoteWord } from '../../../server/commands/shell-words.ts';
import { makeKeyPair } from '../../../server/ssh/key-pair.ts';
import { CommandFixture } from './command-fixture.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const NASTY = 'a=b\n"c" \'d\' $(id) `id` \\ ü 🚀 \t\r\n';

let paas: CommandFixture;
beforeEach(() => {
  paas = new CommandFixture();
});

describe('ps:scale', () => {
  it('scales and says what runs now', async () => {
    const { status, stderr } = await paas.run('scale web=3 worker+1 -a blog');
    assert.equal(stderr, 'Scaling dynos... done, now running web at 3, worker at 1\n');
    assert.equal(status, 0);
    assert.deepEqual(paas.platform.changes, ['scale blog web=3 worker+1 by alice']);
  });

  it('shows the formation without arguments', async () => {
    assert.equal((await paas.run('ps:scale blog')).stdout, 'web=1 worker=0\n');
  });

  it('refuses impossible quantities before anything changes', async () => {
    for (const change of ['web=-1', 'web=1e9', 'web=1.5', 'web=', 'web', 'web=2 nonsense', '$(id)=1']) {
      const { status, stderr } = await paas.run(`scale -a blog ${change}`);
      assert.equal(status, 2, change);
      assert.match(stderr, /^ ! {5}".*" says no scale: it should look like web=3/, change);
    }
    assert.deepEqual(paas.platform.changes, []);
  });

  it("says that it failed, and why, in the platform's words", async () => {
    const { status, stderr } = await paas.run('scale -a blog nope=1');
    assert.equal(status, 2);
    assert.equal(stderr, 'Scaling dynos... failed\n !     blog has no process type "nope".\n');
  });
});

describe('ps', () => {
  it('lists dynos as Heroku does', async () => {
    const { stdout } = await paas.run('ps -a blog');
    assert.match(
      stdout,
      /^=== web: npm start \(1\)\nweb\.1: up 2026-08-10 10:00:00 \+0000 \(~ \d+[smhd] ago\)\n$/,
    );
  });
});

describe('config:set', () => {
  it('says what it set and the release that it made', async () => {
    const { stdout, stderr } = await paas.run('config:set A=1 -a blog');
    assert.equal(stderr, 'Setting A and restarting app... done, v2\n');
    assert.equal(stdout, 'A: 1\n');
  });

  it('keeps newlines, quotes, equals signs and unicode', async () => {
    await paas.run(`config:set -a blog ${quoteWord(`NASTY=${NASTY}`)}`);
    assert.equal(paas.platform.stored.get('blog')!.config.NASTY, NASTY);
    assert.equal((await paas.run('config:get NASTY -a blog')).stdout, `${NASTY}\n`);
    assert.equal(JSON.parse((await paas.run('config --json -a blog')).stdout).NASTY, NASTY);
  });

  it('survives config -s and config:import', async () => {
    await paas.run(`config:set -a blog ${quoteWord(`NASTY=${NASTY.replace('\r\n', '')}`)} B=2`);
    const { stdout } = await paas.run('config -s -a blog');
    paas.platform.addApp('copy');
    assert.equal((await paas.run('config:import -a copy', { input: stdout })).status, 0);
    assert.deepEqual(paas.platform.stored.get('copy')!.config, paas.platform.stored.get('blog')!.config);
  });

  it('reads one value from standard input and does not show it', async () => {
    const { stdout, stderr } = await paas.run('config:set SECRET=- B=x -a blog', { input: 'hunter2\n' });
    assert.equal(paas.platform.stored.get('blog')!.config.SECRET, 'hunter2');
    assert.doesNotMatch(stdout + stderr, /hunter2/);
    assert.match(stdout, /SECRET: \(7 bytes, not shown\)/);
  });

  it('refuses what sets nothing, with nothing changed', async () => {
    for (const [args, message] of [
      ['JUST_A_NAME', /it should look like NAME=VALUE/],
      ['A=1 B', /"B" sets nothing/],
      ['A=x y', /quotes; through plain ssh, twice/],
      ['=1', /sets nothing/],
      ['1A=1', /is no name for a config var/],
      ['PORT=1', /PORT is set by the platform/],
      ['A=- B=-', /Only one/],
      ["'A=1", /opening ' without/],
    ] as const) {
      const { status, stderr } = await paas.run(`config:set -a blog ${args}`);
      assert.equal(status, 2, args);
      assert.match(stderr, message);
    }
    assert.deepEqual(paas.platform.changes, []);
  });

  it('does not promise a restart where there is no code', async () => {
    paas.platform.addApp('empty', { deployed: false });
    assert.equal((await paas.run('config:set A=1 -a empty')).stderr, 'Setting A... done\n');
  });

  it('takes __proto__ for the name that it is', async () => {
    await paas.run('config:set -a blog __proto__=x');
    assert.equal(({} as Record<string, unknown>).x, undefined);
    assert.equal((await paas.run('config:get __proto__ -a blog')).stderr.includes('at '), false);
  });
});

describe('config', () => {
  it('shows control characters as text', async () => {
    paas.platform.stored.get('blog')!.config.EVIL = '\x1b]0;owned\x07\nB: forged';
    assert.equal(
      (await paas.run('config -a blog')).stdout,
      '=== blog Config Vars\nEVIL: \\x1b]0;owned\\x07\\nB: forged\n',
    );
  });
});

describe('config:unset', () => {
  it('removes, and refuses what is not there', async () => {
    paas.platform.stored.get('blog')!.config.A = '1';
    assert.equal((await paas.run('config:unset A B -a blog')).status, 3);
    assert.equal(paas.platform.stored.get('blog')!.config.A, '1');
    assert.equal(
      (await paas.run('config:unset A -a blog')).stderr,
      'Unsetting A and restarting app... done, v2\n',
    );
  });
});

describe('releases:rollback', () => {
  beforeEach(async () => {
    for (const value of [1, 2]) await paas.run(`config:set A=${value} -a blog`);
  });

  it('goes to the version that is named', async () => {
    assert.equal((await paas.run('rollback v1 -a blog')).stderr, 'Rolling back app to v1... done, v4\n');
  });

  it('goes to the release before without one', async () => {
    assert.equal((await paas.run('releases:rollback blog')).stderr, 'Rolling back app to v2... done, v4\n');
  });

  it('says so where there is no such release', async () => {
    const { status, stderr } = await paas.run('rollback v40 -a blog');
    assert.equal(status, 3);
    assert.match(stderr, /failed\n ! {5}blog has no release v40/);
  });
});

describe('apps:create', () => {
  it('makes an app and says where to push', async () => {
    const { stdout, stderr } = await paas.run('apps:create shop');
    assert.equal(stderr, 'Creating shop... done\n');
    assert.equal(stdout, 'http://shop.example.com/ | ssh://paas@example.com:2222/shop\n');
  });

  it('refuses bad, reserved and taken names, and makes nothing', async () => {
    for (const name of [
      '../x',
      '-x',
      "'x;y'",
      'a'.repeat(64),
      'blög',
      'paas',
      "''",
      "'$(id)'",
      'Shop',
      'x-',
    ]) {
      const { status, stderr } = await paas.run(`apps:create -- ${name}`);
      assert.equal(status, 2, name);
      assert.match(stderr, /^ ! {5}The app name /, name);
    }
    assert.equal((await paas.run('apps:create blog')).status, 5);
    assert.deepEqual(paas.platform.changes, []);
  });
});

describe('apps:destroy', () => {
  it('refuses without a terminal and --confirm', async () => {
    const { status, stderr } = await paas.run('apps:destroy blog');
    assert.equal(status, 2);
    assert.match(
      stderr,
      /for good\.\n ! {5}To go ahead, say so with --confirm blog\. Nothing was changed\.\n$/,
    );
    assert.equal((await paas.run('apps:destroy blog --confirm blgo')).status, 2);
    assert.deepEqual(paas.platform.changes, []);
  });

  it('destroys with --confirm', async () => {
    assert.equal((await paas.run('apps:destroy blog --confirm blog')).status, 0);
    assert.deepEqual(paas.platform.changes, ['destroy blog by alice']);
  });
});

describe('logs', () => {
  it('knows two sources', async () => {
    const { status, stderr } = await paas.run('logs -s heroku -a blog');
    assert.equal(status, 2);
    assert.match(stderr, /"heroku" is no source of lines: there are app and paas/);
  });

  it('prints lines for people and for programs', async () => {
    const at = new Date('2026-08-10T05:52:56.417Z');
    paas.platform.stored.get('blog')!.logs.push({ at, source: 'app', dyno: 'web.1', text: 'hi\x1b[2J' });
    assert.equal(
      (await paas.run('logs -a blog')).stdout,
      '2026-08-10T05:52:56.417000+00:00 app[web.1]: hi\\x1b[2J\n',
    );
    const { stdout } = await paas.run('logs -a blog --json');
    assert.deepEqual(JSON.parse(stdout), {
      at: at.toJSON(),
      source: 'app',
      dyno: 'web.1',
      text: 'hi\x1b[2J',
    });
  });

  it('says that no line is of the type or dyno that was asked for', async () => {
    for (const [command, asked] of [
      ['logs -p wep -a blog', 'wep'],
      ['logs -d web.99 -a blog', 'web.99'],
      ['run:logs run.99 -a blog', 'run.99'],
    ]) {
      const { status, stdout, stderr } = await paas.run(command!);
      assert.deepEqual([status, stdout], [0, '']);
      assert.match(
        stderr,
        new RegExp(`^No line in the log of blog is of "${asked}"\\. \`paas ps -a blog\` lists`),
      );
    }
  });

  it('follows no type or dyno that there is not', async () => {
    const signal = AbortSignal.timeout(5000);
    const types = await paas.run('logs -t -p wep -a blog --json', { signal });
    assert.deepEqual([types.status, types.stdout], [2, '']);
    assert.match(types.stderr, /There is no process type "wep"\. The app has: web, worker\./);
    for (const [command, name] of [
      ['logs -t -d web.99 -a blog', 'web.99'],
      ['logs -t -d run.99 -a blog', 'run.99'],
      ['run:logs -t run.99 -a blog', 'run.99'],
    ] as const) {
      const { status, stderr } = await paas.run(command, { signal });
      assert.equal(status, 3, command);
      assert.match(stderr, new RegExp(`blog has no dyno "${name}", nor are there lines of one\\. \`paas ps`));
    }
  });

  it('follows what is there, was there once, or may come', async () => {
    const at = new Date('2026-08-10T05:52:56.417Z');
    paas.platform.stored.get('blog')!.logs.push({ at, source: 'app', dyno: 'clock.2', text: 'hi' });
    paas.platform.stored.get('blog')!.logs.push({ at, source: 'paas', dyno: 'run.4711', text: 'hi' });
    paas.platform.addApp('new', { deployed: false });
    const signal = AbortSignal.timeout(1);
    const known = '-p web|-p worker|-d web.1|-p clock|-d clock.2|-d run.4711|-d release.1|-p router';
    const asked = [...known.split('|').map((which) => `${which} -a blog`), '-p web -a new'];
    for (const which of asked)
      assert.equal((await paas.run(`logs -t ${which}`, { signal })).status, 130, which);
  });

  it('run:logs prints what one-off dynos said', async () => {
    const read: object[] = [];
    paas.services = {
      ...paas.services,
      platform: Object.assign(Object.create(paas.platform), {
        logs: {
          async *read(_app: string, query: object) {
            read.push(query);
            yield { at: new Date(0), source: 'app', dyno: 'run.4711', text: 'hi' };
          },
        },
      }),
    };
    await paas.run('run:logs -a blog');
    await paas.run('run:logs blog run.4711 -n 5');
    const common = (query: object) => ({ ...query, follow: undefined, signal: undefined });
    assert.deepEqual(read.map(common), [
      { lines: 100, type: 'run', follow: undefined, signal: undefined },
      { lines: 5, dyno: 'run.4711', follow: undefined, signal: undefined },
    ]);
  });

  it('follows until the client goes', async () => {
    const gone = new AbortController();
    const following = paas.run('logs -t -a blog', { signal: gone.signal });
    gone.abort();
    assert.equal((await following).stderr, '');
  });
});

describe('builds', () => {
  beforeEach(() => {
    const createdAt = new Date('2026-08-10T05:00:00Z');
    const finishedAt = new Date('2026-08-10T05:00:02.100Z');
    const common = {
      app: 'blog',
      user: 'alice',
      commit: '193d1419aaaa',
      createdAt,
      release: 3,
      ahead: undefined,
    };
    const stages = [{ name: 'build', milliseconds: 340 }];
    paas.platform.storedBuilds.push(
      { ...common, id: 12, state: 'succeeded', finishedAt, reason: undefined, stages },
      {
        ...common,
        id: 11,
        state: 'failed',
        finishedAt,
        reason: 'failed to compile',
        stages: [],
        release: undefined,
      },
    );
  });

  it('lists builds of one app and of all', async () => {
    assert.match((await paas.run('builds')).stdout, /^BUILD +APP.*\n12 +blog +succeeded +193d1419 +alice/);
    assert.equal(JSON.parse((await paas.run('builds blog --json')).stdout).length, 2);
  });

  it('shows a build with its stages', async () => {
    const { stdout } = await paas.run('builds:info 12');
    assert.match(stdout, /^=== Build 12 of blog\nState: +succeeded\n/);
    assert.match(stdout, /Took: +2\.1 s\n/);
    assert.match(stdout, /STAGE +TOOK\nbuild +340 ms\n$/);
    assert.match((await paas.run('builds:info -a blog')).stdout, /^=== Build 12/);
    paas.platform.builds.find(11).reason = 'No Procfile.\nAdd one with the line\n  web: ./server';
    const failed = (await paas.run('builds:info 11')).stdout;
    assert.match(failed, /^State: +failed: No Procfile\.$/m);
    assert.match(failed, /\n\n=== Reason\nNo Procfile\.\nAdd one with the line\n {2}web: \.\/server\n/);
  });

  it('prints output with colours and without other control sequences', async () => {
    const { stdout, status } = await paas.run('builds:output -f #12');
    assert.equal(stdout, '-----> Build 12\n       \x1b[32mgreen\x1b[0m \\x1b]0;title\\x07 done\n');
    assert.equal(status, 0);
    assert.equal((await paas.run('builds:output -f 11')).status, 1);
  });

  it('cancels, and refuses what is no build of the app', async () => {
    assert.equal((await paas.run('builds:cancel 12')).status, 0);
    assert.equal((await paas.run('builds:cancel 99')).status, 3);
    assert.equal((await paas.run('builds:info x')).status, 2);
    paas.platform.addApp('shop');
    assert.equal((await paas.run('builds:info 12 -a shop')).status, 3);
  });
});

describe('domains', () => {
  it('lists, adds and removes', async () => {
    assert.equal(
      (await paas.run('domains:add WWW.Example.com. -a blog')).stderr,
      'Adding www.example.com to blog... done\n',
    );
    assert.match(
      (await paas.run('domains -a blog')).stdout,
      /blog\.example\.com +built in\nwww\.example\.com +added\n/,
    );
    assert.equal((await paas.run('domains:remove blog www.example.com')).status, 0);
    assert.equal((await paas.run('domains:add "not a host" -a blog')).status, 2);
  });
});

describe('keys and login, with the real store', () => {
  const KEY = makeKeyPair('bob@laptop').public;
  let folder: string;
  let database: Database;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'paas-keys-'));
    database = new Database(join(folder, 'paas.db'));
    const store = new AccessStore(database);
    const keys = new SshKeys(store, { record() {} });
    const { fingerprint } = keys.add('alice', makeKeyPair('').public, 'root');
    paas.caller = { user: 'alice', fingerprint };
    const platform = Object.assign(paas.platform, { keys, sessions: new DashboardSessions(store) });
    paas.services = { ...paas.services, platform };
  });

  afterEach(() => {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('adds a key from standard input or arguments, and refuses it twice', async () => {
    assert.equal((await paas.run('keys:add bob', { input: `${KEY}\n` })).status, 0);
    assert.equal((await paas.run(`keys:add carol ${KEY}`)).status, 5);
    assert.match((await paas.run('keys')).stdout, /bob +SHA256:\S{43} +bob@laptop +never\n/);
    assert.equal((await paas.run('keys:remove bob')).stderr, 'Removing bob... done, 1 key\n');
    assert.match((await paas.run('keys:remove alice')).stderr, /last key/);
  });

  it('refuses what is no key, a private one above all', async () => {
    for (const input of [
      '',
      'nonsense',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n',
      `command="sh" ${KEY}`,
      '\0',
    ]) {
      assert.equal((await paas.run('keys:add eve', { input })).status, 2, input);
    }
    assert.equal((await paas.run(`keys:add '../eve' ${KEY}`)).status, 2);
    assert.equal(JSON.parse((await paas.run('keys --json')).stdout).length, 1);
  });

  it('prints a link for the dashboard, alone on standard output', async () => {
    const { stdout, stderr } = await paas.run('login');
    assert.match(stdout, /^http:\/\/paas\.example\.com\/login\/[A-Za-z0-9_-]{43}\n$/);
    assert.match(stderr, /once, within five minutes/);
  });
});

describe('doctor', () => {
  it('prints findings with advice and fails where there is a problem', async () => {
    paas.services.doctor = async () => [
      { name: 'kernel', state: 'ok', message: 'Linux 6.18' },
      { name: 'disk', state: 'problem', message: '1 % free', advice: 'Make room.' },
    ];
    const { status, stdout } = await paas.run('doctor');
    assert.equal(status, 1);
    assert.equal(stdout, 'ok       kernel: Linux 6.18\nPROBLEM  disk: 1 % free\n         → Make room.\n');
    assert.equal(JSON.parse((await paas.run('doctor --json')).stdout).healthy, false);
  });
});

describe('runCommand()', () => {
  it('suggests near commands, runs none and exits with 2', async () => {
    const { status, stderr, stdout } = await paas.run('conifg -a blog');
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, /^ ! {5}There is no command "conifg"\. Did you mean config/);
  });

  it('exits with 3 for an unknown app, and names near ones', async () => {
    const { status, stderr } = await paas.run('ps -a blogg');
    assert.equal(status, 3);
    assert.match(stderr, /There is no app "blogg"\. Did you mean blog\?/);
  });

  it('shows nothing of an unexpected error but a general message', async () => {
    paas.platform.apps.list = () => {
      throw new Error('secret detail at /some/file.ts:1');
    };
    const { status, stdout, stderr } = await paas.run('apps');
    assert.equal(status, 1);
    assert.equal(stdout, '');
    assert.match(stderr, /^ ! {5}Something went wrong on the server\./);
    assert.doesNotMatch(stderr, /secret/);
    assert.match(String(paas.logged[0]), /secret detail/);
  });

  it('gives every code its exit status', async () => {
    for (const [code, wanted] of [
      ['invalid', 2],
      ['not_found', 3],
      ['conflict', 5],
      ['unauthorized', 4],
      ['forbidden', 4],
      ['unavailable', 1],
      ['internal', 1],
    ] as const) {
      paas.platform.apps.list = () => {
        throw new PaasError(code, 'no');
      };
      assert.equal((await paas.run('apps')).status, wanted, code);
    }
  });

  it('runs only what the caller may: the access table', async () => {
    for (const kind of ['look', 'change', 'operate'] as const) {
      paas.allow(kind);
      for (const command of commands.filter(({ access }) => access !== kind)) {
        const args = (command.args ?? []).filter(({ required }) => required).map(() => 'A=1');
        const app = command.app ? '-a blog' : '';
        const { status, stderr } = await paas.run(`${command.name} ${app} ${args.join(' ')}`);
        assert.equal(status, 4, `${command.name} for one who may ${kind}`);
        assert.match(stderr, /alice may not run/);
      }
    }
    assert.deepEqual(paas.platform.changes, []);
  });

  it('runs no shell and leaves no canary, whatever the words', async () => {
    const canary = join(tmpdir(), `canary-${process.pid}`);
    for (const hostile of [
      `$(touch ${canary})`,
      `\`touch ${canary}\``,
      `;touch ${canary}`,
      `|touch ${canary}`,
      `\ntouch ${canary}`,
    ]) {
      for (const { name } of commands) {
        if (name !== 'run') await paas.run(`${name} -a ${quoteWord(hostile)} ${quoteWord(hostile)}`);
        if (name !== 'run') await paas.run(`${name} ${hostile} ${hostile}`);
      }
    }
    assert.throws(() => readFileSync(canary), { code: 'ENOENT' });
  });

  it('never lets control characters of the input through', async () => {
    for (const line of [
      '\x1b[2J',
      'ps -a \x1b]0;x\x07',
      'scale -a blog \x1b[1A=1',
      'config:set -a blog \x1b[2J',
      'apps:create \x9bx',
      'help \x1b[2J',
      'logs -a blog -n \x1b[2J',
      'keys:remove \x1b[2J',
      'ps --\x1b[2J',
    ]) {
      const { stdout, stderr } = await paas.run(line);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is tested
      assert.doesNotMatch(stdout + stderr, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/, JSON.stringify(line));
    }
  });
});

describe('help', () => {
  it('lists every topic once, and each command on its topic or its own page', async () => {
    const { stdout } = await paas.run('help');
    const topics = [...new Set(commands.map(({ name }) => name.split(':')[0]!))];
    for (const topic of topics)
      assert.equal(stdout.match(new RegExp(`^  ${topic} `, 'gm'))?.length, 1, topic);
    for (const { name, summary } of commands) {
      const page = (await paas.run(`help ${name}`)).stdout;
      assert.ok(page.includes(summary), name);
    }
  });

  it('names near topics for one that is unknown', async () => {
    const { status, stderr } = await paas.run('help cofnig');
    assert.equal(status, 2);
    assert.match(stderr, /no help on "cofnig"\. Did you mean config/);
  });
});

describe('commands', () => {
  it('have unique names and aliases', () => {
    const names = commands.flatMap(({ name, aliases }) => [name, ...(aliases ?? [])]);
    assert.deepEqual(names, [...new Set(names)]);
  });

  it('have --json wherever they list', () => {
    for (const command of commands) {
      if (/^(List|Show one)/.test(command.summary)) assert.equal(command.json, true, command.name);
    }
  });

  it('stand in docs/commands.md as they are', () => {
    const file = join(ROOT, 'docs', 'commands.md');
    assert.equal(
      readFileSync(file, 'utf8'),
      renderReference(commands),
      'Write it anew: node server/commands/reference.ts > docs/commands.md',
    );
  });
});
