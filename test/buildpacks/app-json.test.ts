import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseAppJson } from '../../buildpacks/app-json.ts';

describe('parseAppJson()', () => {
  it('reads the formation, past comments and keys without a use', () => {
    const text = `{
      // how many
      "website": "https://example.com/", // not a comment before
      "formation": { "web": { "quantity": 2 }, "worker": { "size": "standard-1x" }, "cron": { "quantity": 0 } }
    }`;
    assert.deepEqual(parseAppJson(text), {
      formation: { web: 2, cron: 0 },
      maxParallel: {},
      env: {},
      cron: [],
      checks: [],
      predeploy: undefined,
      hooks: {},
    });
  });

  it('reads config vars as Heroku has them', () => {
    const env = { A: 'a', B: { value: 'b' }, C: { generator: 'secret' }, D: {}, E: { required: false } };
    const none = { value: undefined, isSecret: false, required: true };
    assert.deepEqual(parseAppJson(JSON.stringify({ env })).env, {
      A: { ...none, value: 'a' },
      B: { ...none, value: 'b' },
      C: { ...none, isSecret: true },
      D: none,
      E: { ...none, required: false },
    });
    assert.throws(() => parseAppJson('{"env": {"A": {"value": 1}}}'), { message: /env\.A\.value .* not 1/ });
    assert.throws(() => parseAppJson('{"env": {"A": {"generator": "x"}}}'), { message: /there is "secret"/ });
  });

  it('says where it is broken', () => {
    assert.throws(() => parseAppJson('{\n  // comment\n  "formation": x\n}'), {
      name: 'BuildpackError',
      message:
        /^app\.json is not valid JSON, line 3, column 16: Unexpected token 'x'\n {4}"formation": x\n {17}\^$/,
    });
  });

  for (const quantity of ['-1', '1.5', '"2"', 'null', '101']) {
    it(`refuses the quantity ${quantity}`, () => {
      const text = `{"formation": {"web": {"quantity": ${quantity}}}}`;
      assert.throws(() => parseAppJson(text), { message: /formation\.web\.quantity is .* whole number/ });
    });
  }

  it('reads scripts as Dokku and Heroku have them, and how many dynos may boot at once', () => {
    const scripts = { postdeploy: 'seed', dokku: { predeploy: 'assets', postdeploy: 'tell' } };
    const read = parseAppJson(JSON.stringify({ scripts, formation: { web: { max_parallel: 2 } } }));
    assert.equal(read.predeploy, 'assets');
    assert.deepEqual(read.hooks, { postdeploy: 'tell', firstDeploy: 'seed' });
    assert.deepEqual(read.maxParallel, { web: 2 });
    assert.deepEqual(read.formation, {});
    assert.equal(parseAppJson('{"scripts": {"predeploy": "x"}}').predeploy, 'x');
    for (const [json, message] of [
      ['{"scripts": {"postdeploy": ["x"]}}', /scripts\.postdeploy must be a text, not \["x"\]/],
      ['{"scripts": {"dokku": {"predeploy": 1}}}', /scripts\.dokku\.predeploy must be a text/],
      [JSON.stringify({ cron: Array(101).fill({ schedule: '@daily', command: 'x' }) }), /cron has 101 jobs/],
      ['{"formation": {"web": {"max_parallel": 0}}}', /formation\.web\.max_parallel is 0; .* from 1 to 1000/],
    ] as const) {
      assert.throws(() => parseAppJson(json), { message });
    }
  });

  it('reads cron jobs, and says which one is wrong', () => {
    const text = '{"cron": [{"schedule": "@daily", "command": "true"}]}';
    assert.deepEqual(parseAppJson(text).cron, [
      { schedule: '@daily', command: 'true', concurrency: 'forbid' },
    ]);
    for (const [json, message] of [
      ['{"cron": {}}', /cron must be a list/],
      ['{"cron": [{"schedule": "@daily"}]}', /cron\[0\]\.command must be a text/],
      ['{"cron": [{"schedule": 5, "command": "true"}]}', /cron\[0\]\.schedule must be a text, not 5/],
    ] as const) {
      assert.throws(() => parseAppJson(json), { message });
    }
  });
});
