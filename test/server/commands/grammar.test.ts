import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { commands } from '../../../server/commands/all-commands.ts';
import { elsewhere } from '../../../server/commands/elsewhere.ts';
import { findCommand, parseInvocation } from '../../../server/commands/grammar.ts';
import { parseWords } from '../../../server/commands/shell-words.ts';

const APPS = ['blog', 'shop', 'web'];

describe('parseInvocation()', () => {
  it("understands Heroku's grammar and Dokku's alike", () => {
    for (const line of [
      'ps:scale web=3 worker+1 -a blog',
      'ps:scale blog web=3 worker+1',
      'scale -a blog web=3 worker+1',
      '-a blog ps:scale web=3 worker+1',
      '--app=blog scale web=3 worker+1',
      'scale web=3 -ablog worker+1',
      'scale --app blog -- web=3 worker+1',
      '-- scale blog web=3 worker+1',
    ]) {
      assert.deepEqual(summary(line), ['ps:scale', 'blog', 'web=3', 'worker+1'], line);
    }
  });

  it("says what is in the place of Heroku's and Dokku's commands that are none here", () => {
    assert.throws(
      () => summary('ps:stop blog'),
      /^PaasError: There is no command "ps:stop" here\. In its place: `ps:scale web=0`, or `maintenance:on`$/,
    );
    for (const [name, text] of elsewhere) {
      assert.throws(() => findCommand(name, commands), /here\. In its place: /, name);
      for (const [, line] of text.matchAll(/`([^`]+)`/g))
        if (line !== 'git push') findCommand(line!.split(' ')[0]!, commands);
    }
  });

  it('takes the first argument as the app only where it names one', () => {
    assert.deepEqual(summary('ps:restart web.1 -a blog'), ['ps:restart', 'blog', 'web.1']);
    assert.deepEqual(summary('ps:restart web web'), ['ps:restart', 'web', 'web']);
    assert.deepEqual(summary('config:get -a blog shop'), ['config:get', 'blog', 'shop']);
  });

  it("lets an app that is named outweigh the local client's", () => {
    assert.deepEqual(summary('ps --default-app blog'), ['ps', 'blog']);
    assert.deepEqual(summary('ps shop --default-app blog'), ['ps', 'shop']);
    assert.deepEqual(summary('ps -a shop --default-app blog'), ['ps', 'shop']);
    assert.deepEqual(summary('run --default-app blog web'), ['run', 'blog', 'web']);
    assert.deepEqual(summary('builds --default-app blog'), ['builds', 'blog']);
  });

  it('leaves the flags of a command to run to that command', () => {
    assert.deepEqual(summary('run -a blog ls -la --help -a x'), [
      'run',
      'blog',
      'ls',
      '-la',
      '--help',
      '-a',
      'x',
    ]);
    assert.deepEqual(summary('run blog ls -la'), ['run', 'blog', 'ls', '-la']);
    assert.deepEqual(summary('run -a blog -- -x'), ['run', 'blog', '-x']);
    assert.deepEqual(summary(`run -a blog 'env | sort'`), ['run', 'blog', 'env | sort']);
  });

  it('reads short flags together and with their values attached', () => {
    for (const line of [
      'logs -t -n 50 -a blog',
      'logs -tn50 blog',
      'logs -tn 50 -a blog',
      'logs --num=50 --tail blog',
    ]) {
      const { flags } = parse(line);
      assert.equal(flags.get('num'), '50', line);
      assert.equal(flags.get('tail'), '', line);
    }
  });

  it('understands --help everywhere, without an app or arguments', () => {
    for (const command of commands) assert.equal(parse(`${command.name} --help`).help, true, command.name);
    assert.equal(parse('-h ps:scale').help, true);
  });

  it('shows help for an empty line and the version for --version', () => {
    assert.equal(parse('').command.name, 'help');
    assert.equal(parse('--version').command.name, 'version');
  });

  for (const [line, code, message] of [
    ['nonsense', 'invalid', /no command "nonsense"/],
    ['lgos -a blog', 'invalid', /Did you mean logs/],
    ['ps -a blgo', 'not_found', /no app "blgo". Did you mean blog/],
    ['ps blgo', 'not_found', /Did you mean blog/],
    ['ps', 'invalid', /Which app\? Name it with -a APP.\nUsage: ps -a APP/],
    ['scale web=3', 'invalid', /Which app/],
    ['ps -a ../x', 'invalid', /"\.\.\/x" is no app name/],
    ['ps -a -x', 'invalid', /"-x" is no app name/],
    ["ps -a 'x;y'", 'invalid', /"x;y" is no app name/],
    [`ps -a ${'a'.repeat(64)}`, 'invalid', /is no app name/],
    ['ps -a blög', 'invalid', /is no app name/],
    ['ps -a', 'invalid', /-a needs a value/],
    ['ps --nope -a blog', 'invalid', /ps has no flag "--nope"/],
    ['logs --tial -a blog', 'invalid', /Did you mean --tail/],
    ['run ls /tmp -a blog', 'invalid', /Which app\? Say so before the command/],
    ['ps --json=1 -a blog', 'invalid', /--json takes no value/],
    ['ps -a blog extra', 'invalid', /"extra" is one argument too many/],
    ['config:get -a blog', 'invalid', /NAME is missing/],
    ['run -a blog', 'invalid', /COMMAND is missing/],
  ] as const) {
    it(`refuses ${line.slice(0, 40)}`, () => {
      assert.throws(() => parse(line), { code, message });
    });
  }
});

function parse(line: string) {
  return parseInvocation(parseWords(line), {
    commands,
    appNames: () => APPS,
    appExists: (name) => APPS.includes(name),
  });
}

function summary(line: string): (string | undefined)[] {
  const { command, app, args } = parse(line);
  return [command.name, app, ...args];
}
