import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'mocha';
import { CommandFixture } from './command-fixture.ts';

let paas: CommandFixture;

beforeEach(() => {
  paas = new CommandFixture();
});

describe('limits', () => {
  it('shows a table, sizes in words', async () => {
    const { stdout } = await paas.run('limits -a blog');
    assert.equal(stdout, 'TYPE  MEMORY  CPU\nweb   512m    all\n');
  });

  it('takes sizes with and without a unit, and cores', async () => {
    for (const [given, bytes] of [
      ['512', 512],
      ['512m', 512],
      ['2GB', 2048],
    ] as const) {
      paas.platform.changes.length = 0;
      const { status } = await paas.run(`limits:set web --memory ${given} --cpu 0.5 -a blog`);
      assert.equal(status, 0);
      assert.deepEqual(paas.platform.changes, [
        `limits blog web {"memory":${bytes * 1024 ** 2},"cpu":0.5} by alice`,
      ]);
    }
  });

  for (const [line, says] of [
    ['limits:set web -a blog', /Nothing to set/],
    ['limits:set web --memory 12q -a blog', /"12q" is no size/],
    ['limits:set web --memory -5 -a blog', /./],
    ['limits:set web --cpu many -a blog', /"many" is no number of cores/],
  ] as const) {
    it(`refuses ${line}`, async () => {
      const { status, stderr } = await paas.run(line);
      assert.notEqual(status, 0);
      assert.match(stderr, says);
      assert.deepEqual(paas.platform.changes, []);
    });
  }
});

describe('maintenance', () => {
  it('goes on and off', async () => {
    assert.equal((await paas.run('maintenance -a blog')).stdout, 'off\n');
    assert.match(
      (await paas.run('maintenance:on blog')).stderr,
      /Enabling maintenance mode for blog\.\.\. done/,
    );
    assert.equal((await paas.run('maintenance blog')).stdout, 'on\n');
    await paas.run('maintenance:off -a blog');
    assert.equal((await paas.run('maintenance -a blog --json')).stdout, '{"maintenance":false}\n');
  });

  it('takes a page from standard input, and no file name', async () => {
    await paas.run('maintenance:on -a blog -', { input: '<h1>Back at noon</h1>' });
    assert.deepEqual(paas.platform.changes, ['maintenance on blog with <h1>Back at noon</h1> by alice']);
    const { stderr } = await paas.run('maintenance:on -a blog page.html');
    assert.match(stderr, /Files are not sent/);
  });
});

describe('events', () => {
  it('prints who did what, without control characters', async () => {
    const at = new Date('2026-08-10T10:00:00Z');
    const event = { id: 1, at, user: 'bob', app: 'blog', action: 'run', text: 'Ran `\x1b[2J`' };
    paas.platform.storedEvents = [event, { ...event, id: 2, app: undefined, action: 'keys:add', text: 'x' }];
    const { stdout } = await paas.run('events');
    assert.match(stdout, /^2026-08-10 10:00:00 bob blog run: Ran /);
    assert.ok(!stdout.includes('\x1b[2J'));
    assert.match(stdout, /bob - keys:add: x\n$/);
    assert.equal((await paas.run('events -a blog --json')).stdout.split('\n').length, 2);
  });

  it('knows apps that are gone, and says of those that never were that there are none', async () => {
    const event = { id: 1, at: new Date(), user: 'bob', app: 'gone', action: 'apps:destroy', text: 'x' };
    paas.platform.storedEvents = [event];
    for (const line of ['events -a gone', 'events gone'])
      assert.match((await paas.run(line)).stdout, /bob gone apps:destroy: x\n$/);
    const { status, stderr } = await paas.run('events -a never');
    assert.equal(status, 3);
    assert.match(stderr, /There is no app "never", and there was none/);
    assert.deepEqual((await paas.run('events -a blog')).stdout, '');
  });
});

describe('run:detached', () => {
  it('says how to follow it', async () => {
    const { stderr } = await paas.run('run:detached --timeout 2h -a blog -- sh -c "exit 3"');
    assert.match(stderr, /up, run\.4711/);
    assert.match(stderr, /logs -t -d run\.4711 -a blog/);
    assert.deepEqual(paas.platform.changes, [`detach blog sh -c 'exit 3' 7200 by alice`]);
  });

  it('refuses a time that is none', async () => {
    for (const time of ['0', '5x', '-1m', '999999d']) {
      const { status } = await paas.run(`run:detached --timeout=${time} -a blog true`);
      assert.notEqual(status, 0, time);
    }
    assert.deepEqual(paas.platform.changes, []);
  });
});

describe('cron', () => {
  it('cron:add takes a schedule and a command', async () => {
    const { stderr, status } = await paas.run(
      'cron:add -a blog --concurrency replace --timeout 10m "0 3 * * *" npm run cleanup',
    );
    assert.equal(status, 0, stderr);
    assert.match(stderr, /Added 1a2b3c4d to blog; it runs first at 2026-08-11 03:00 UTC/);
    const entry = {
      schedule: '0 3 * * *',
      command: 'npm run cleanup',
      concurrency: 'replace',
      timeLimit: 600,
    };
    assert.deepEqual(paas.platform.changes, [`cron add blog ${JSON.stringify(entry)} by alice`]);
  });

  it('cron:add takes flags before the command, and leaves those after it alone', async () => {
    await paas.run('cron:add @daily --timeout 10m -a blog -- sh -c "exit 3"');
    await paas.run('cron:add blog @daily ls --timeout 10m');
    assert.match(paas.platform.changes[0]!, /"command":"sh -c 'exit 3'".*"timeLimit":600/);
    assert.match(paas.platform.changes[1]!, /"command":"ls --timeout 10m".*"timeLimit":86400/);
  });

  it('cron:add understands a schedule whose quotes ssh has dropped', async () => {
    await paas.run('cron:add -a blog */5 3 1,2 jan mon-fri npm run cleanup -- --all');
    assert.match(
      paas.platform.changes[0]!,
      /"schedule":"\*\/5 3 1,2 jan mon-fri","command":"npm run cleanup -- --all"/,
    );
    await paas.run('cron:add -a blog @daily one two three four five six');
    assert.match(paas.platform.changes[1]!, /"schedule":"@daily","command":"one two three four five six"/);
  });

  it('says what is wrong with a policy', async () => {
    const { stderr } = await paas.run('cron:add -a blog --concurrency queue @daily true');
    assert.match(stderr, /"queue" is no policy: it is one of forbid, allow, replace/);
  });

  it('cron lists jobs with their last run and their next', async () => {
    const job = { schedule: '@daily', command: 'true', concurrency: 'forbid' as const, timeLimit: 60 };
    const next = new Date('2026-08-11T00:00:00Z');
    const last = { at: new Date(), dyno: 'cron.1234', status: 3 };
    paas.platform.cronJobs.push(
      { ...job, id: 'aaaaaaaa', source: 'app.json', suspended: false, next, last },
      { ...job, id: 'bbbbbbbb', source: 'command', suspended: true, next: undefined, last: undefined },
    );
    const { stdout } = await paas.run('cron -a blog');
    assert.match(stdout, /^aaaaaaaa +@daily +2026-08-11 00:00 UTC +status 3 .*app\.json +true$/m);
    assert.match(stdout, /^bbbbbbbb +@daily +suspended +- +command +true$/m);
  });
});

describe('checks', () => {
  it('checks:run fails where a check does', async () => {
    const check = {
      type: 'startup' as const,
      name: 'startup check',
      path: '/',
      content: 'ok',
      status: undefined,
      attempts: 3,
      initialDelay: 0,
      wait: 5,
      timeout: 5,
      source: 'command' as const,
    };
    paas.platform.storedChecks = [check];
    assert.match(
      (await paas.run('checks -a blog')).stdout,
      /^startup +startup check +\/ +below 400, "ok" +3 +5 s +5 s +command$/m,
    );
    assert.equal((await paas.run('checks:run -a blog')).status, 0);
    paas.platform.storedChecks = [check, { ...check, path: '/broken' }];
    const { status, stdout } = await paas.run('checks:run -a blog');
    assert.equal(status, 1);
    assert.match(stdout, /^web\.1 +startup check +status 500$/m);
  });

  it('checks:set, checks:unset and checks:boot-timeout say what they change', async () => {
    const { changes } = paas.platform;
    assert.equal((await paas.run('checks:set readiness --path /r --wait 0.5 --delay 2 -a blog')).status, 0);
    assert.equal(
      changes.at(-1),
      'check blog {"type":"readiness","path":"/r","wait":0.5,"initialDelay":2} by alice',
    );
    assert.equal((await paas.run('checks:set startup --wait soon -a blog')).status, 2);
    assert.equal((await paas.run('checks:unset "startup check" -a blog')).status, 0);
    assert.equal(changes.at(-1), 'no check blog startup check by alice');
    assert.equal((await paas.run('checks:boot-timeout 2m -a blog')).status, 0);
    assert.equal(changes.at(-1), 'boot timeout blog 120 by alice');
    await paas.run('checks:boot-timeout default -a blog');
    assert.equal(changes.at(-1), 'boot timeout blog undefined by alice');
    assert.equal((await paas.run('checks:boot-timeout -a blog')).stdout, '1 min\n');
    assert.equal((await paas.run('checks:boot-timeout soon -a blog')).status, 2);
  });

  it('checks:set says which types there are', async () => {
    const { status, stderr } = await paas.run('checks:set soon -a blog');
    assert.equal(status, 2);
    assert.match(stderr, /"soon" is no type of check: it is one of startup, readiness, liveness\./);
  });

  it('says where checks come from when there are none', async () => {
    assert.match((await paas.run('checks -a blog')).stderr, /blog has no health checks.*app\.json/);
  });
});

describe('ps:idle', () => {
  it('takes the type web before the time, and no other', async () => {
    for (const line of ['ps:idle web 15m -a blog', 'ps:idle blog 15m', 'idle blog web off'])
      assert.equal((await paas.run(line)).status, 0, line);
    const [first, second, third] = paas.platform.changes;
    assert.deepEqual(
      [first, second, third],
      ['idle blog 900 by alice', 'idle blog 900 by alice', 'idle blog undefined by alice'],
    );
    assert.equal((await paas.run('ps:idle web -a blog')).status, 0);
    const { status, stderr } = await paas.run('ps:idle worker 15m -a blog');
    assert.equal(status, 2);
    assert.match(stderr, /"worker" dynos cannot idle/);
    assert.equal(paas.platform.changes.length, 3);
  });
});

describe('webhooks', () => {
  it('webhooks:add takes its secret from standard input, or prints the one that was made, once', async () => {
    const { changes } = paas.platform;
    const made = await paas.run('webhooks:add https://example.com/hook -a blog');
    assert.deepEqual([made.status, made.stdout], [0, 'made-for-you\n']);
    const given = await paas.run('webhooks:add https://example.com/hook --secret - -a blog', {
      input: 'horse\n',
    });
    assert.deepEqual([given.status, given.stdout], [0, '']);
    assert.equal(changes.at(-1), 'webhook blog https://example.com/hook horse by alice');
    assert.equal((await paas.run('webhooks:add https://example.com/hook --secret horse -a blog')).status, 2);
    assert.equal((await paas.run('webhooks:add -a blog')).status, 2);
  });

  it('are listed with what came of their deliveries', async () => {
    const at = new Date('2026-08-10T10:00:00Z');
    paas.platform.webhooks.list = () => [
      { id: 3, url: 'https://example.com/', createdAt: at, createdBy: 'bob' },
    ];
    const { url } = JSON.parse((await paas.run('webhooks -a blog --json')).stdout)[0];
    assert.equal(url, 'https://example.com/');
    assert.match(
      (await paas.run('webhooks -a blog')).stdout,
      /^3 +https:\/\/example\.com\/ +bob +2026-08-10/m,
    );
    const delivery = paas.platform.webhooks.redeliver('blog', 9, 'bob');
    const failed = { ...delivery, state: 'failed' as const, attempts: 8, status: 503, reason: 'status 503' };
    paas.platform.webhooks.deliveries = () => [failed];
    assert.match(
      (await paas.run('webhooks:deliveries -a blog')).stdout,
      /^9 +1 +deploy +failed +8 +.* status 503$/m,
    );
    assert.equal(JSON.parse((await paas.run('webhooks:deliveries -a blog --json')).stdout)[0].status, 503);
    assert.equal((await paas.run('webhooks:redeliver 9 -a blog')).status, 0);
    assert.equal((await paas.run('webhooks:redeliver nine -a blog')).status, 2);
    assert.equal((await paas.run('webhooks:remove 3 -a blog')).status, 0);
  });
});

describe('releases:info and releases:output', () => {
  it('show what a release holds, and what its command said', async () => {
    const { stdout } = await paas.run('releases:info -a blog');
    assert.match(stdout, /^=== Release v1 of blog$/m);
    assert.match(stdout, /^Status: +current$/m);
    assert.match(stdout, /^web: npm start$/m);
    assert.match(stdout, /^A: 1$/m);
    assert.equal((await paas.run('releases:output -a blog v1')).stdout, 'migrated\n');
    assert.equal((await paas.run('releases:info -a blog v9')).status, 3);
  });
});

describe('pipelines', () => {
  it('wants a stage that there is', async () => {
    assert.match(
      (await paas.run('pipelines:add shop -a blog')).stderr,
      /Which stage\? Say --stage development/,
    );
    assert.match((await paas.run('pipelines:add shop -s live -a blog')).stderr, /"live" is no stage/);
    assert.deepEqual(paas.platform.changes, []);
  });

  it('promotes to all of the next stage, or where one says', async () => {
    for (const app of ['eu', 'us']) paas.platform.addApp(app);
    paas.platform.changes.length = 0;
    await paas.run('promote -a blog');
    await paas.run('promote -a blog --to eu,us');
    assert.deepEqual(paas.platform.changes, [
      'promote blog blog by alice',
      'promote blog eu by alice',
      'promote blog us by alice',
    ]);
  });
});
