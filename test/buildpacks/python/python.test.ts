import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { python } from '../../../buildpacks/python/python.ts';
import { directoryTree, fixtureApp, sourceTree } from '../../fixtures/directory-tree.ts';
import { context } from '../build-context.ts';
import { summary } from '../plan-summary.ts';

const venv = '/usr/bin/python3 -m venv --without-pip /app/.paas/python';
const pip =
  '/usr/bin/python3 -m pip --python /app/.paas/python/bin/python install --quiet --no-cache-dir --no-input --disable-pip-version-check';

/** What follows the toolchain, which is the same for every app. */
async function planFiles(files: Record<string, string>): Promise<string[]> {
  return rest(await python.plan(sourceTree({ Procfile: 'web: python app.py', ...files }), context));
}

function rest(plan: Parameters<typeof summary>[0]): string[] {
  const [toolchain, ...lines] = summary(plan);
  assert.match(toolchain!, /^root: .*apt-get .* install .* python3 .* < nothing$/s);
  return lines;
}

describe('python.plan()', () => {
  it('installs nothing for an app of the standard library', async () => {
    const plan = await python.plan(directoryTree(fixtureApp('python-stdlib')), context);
    assert.deepEqual(rest(plan), ['source']);
    assert.deepEqual(plan.env, {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      PYTHONUNBUFFERED: '1',
      LANG: 'C.UTF-8',
    });
    const [toolchain] = plan.steps;
    assert.equal(
      toolchain?.kind === 'run' && toolchain.title,
      'Installing Python 3.11 (runtime.txt: python-3.11)',
    );
  });

  it('installs vendored wheels without network', async () => {
    const plan = await python.plan(directoryTree(fixtureApp('python-wheel')), context);
    assert.deepEqual(rest(plan), [
      `app offline: ${venv}\n${pip} --no-index --find-links wheels -r requirements.txt < requirements.txt wheels/roundabout-1.0-py3-none-any.whl`,
      'source',
    ]);
    assert.equal(
      plan.env.PATH,
      '/app/.paas/python/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    );
  });

  it('installs from an index, keyed on every list', async () => {
    const lines = await planFiles({
      'requirements.txt':
        '-r requirements/base.txt # all\ngunicorn==23.0 ; python_version > "3" \\\n  --hash=sha256:00\n',
      'requirements/base.txt': '-c ../constraints.txt\nDjango>=5\nhttps://example.com/a.zip\n',
      'constraints.txt': 'sqlparse<1',
    });
    assert.deepEqual(lines, [
      `app: ${venv}\n${pip} -r requirements.txt < requirements.txt requirements/base.txt constraints.txt`,
      'source',
    ]);
  });

  it('takes both an index and vendored packages where those are not all', async () => {
    const files = { 'requirements.txt': 'Private_Thing\nflask', 'vendor/private.thing-1.0.tar.gz': '' };
    const [install] = await planFiles(files);
    assert.match(install!, /^app: .* --find-links vendor -r requirements\.txt < .*private\.thing/s);
    const [offline] = await planFiles({ ...files, 'vendor/flask-3.0-py3-none-any.whl': '' });
    assert.match(offline!, /^app offline: .*--no-index/s);
  });

  it('follows --no-index and --find-links in requirements.txt', async () => {
    const [install] = await planFiles({
      'requirements.txt': '--no-index\n--find-links ./lib/\nthing',
      'lib/thing-1-py3-none-any.whl': '',
    });
    assert.equal(
      install,
      `app offline: ${venv}\n${pip} --no-index -r requirements.txt < requirements.txt lib/thing-1-py3-none-any.whl`,
    );
  });

  it('installs a wheel that is named by path', async () => {
    const [install] = await planFiles({
      'requirements.txt': './a-1-py3-none-any.whl',
      'a-1-py3-none-any.whl': '',
    });
    assert.match(install!, / < requirements\.txt a-1-py3-none-any\.whl$/);
  });

  it("installs the app's own packages after the source", async () => {
    const lines = await planFiles({ 'requirements.txt': '-e .[web]\n', 'setup.py': '' });
    assert.equal(lines[0], 'source');
    assert.match(lines[1]!, /^app: .* < source$/s);
  });

  it('takes pyproject.toml as settings of tools', async () => {
    assert.deepEqual(
      await planFiles({ 'app.py': '', 'pyproject.toml': '[tool.ruff]\ndependencies = []\n' }),
      ['source'],
    );
  });
});

describe('python.plan() refuses', () => {
  const refused: [title: string, files: Record<string, string>, message: RegExp][] = [
    [
      'an app without a Procfile',
      { 'manage.py': '', Procfile: '-' },
      /Procfile" .* line\n {2}web: gunicorn PROJECT\.wsgi\n/,
    ],
    [
      'another Python',
      { 'runtime.txt': 'python-3.13.1\n' },
      /^runtime\.txt asks for "python-3\.13\.1"; .*3\.11.*only/,
    ],
    ['Python 3.1', { '.python-version': '# x\n3.1' }, /^\.python-version asks for "3\.1"/],
    ['Pipenv', { Pipfile: '' }, /stand in Pipfile; .*\n {2}pipenv requirements > requirements\.txt$/],
    ['uv', { 'pyproject.toml': '', 'uv.lock': '' }, /uv export/],
    [
      'dependencies in pyproject.toml',
      { 'pyproject.toml': '[project]\ndependencies = ["a"]' },
      /stand in pyproject/,
    ],
    ['git', { 'requirements.txt': 'a @ git+https://x/y' }, /^requirements\.txt: "a @ git\+.*" needs git/],
    [
      'a list that is not there',
      { 'requirements.txt': '-r base.txt' },
      /^"base\.txt", which .* is not there/,
    ],
    [
      'a list outside of the repository',
      { 'requirements.txt': '-r ../../etc/passwd' },
      /is outside of the repository/,
    ],
  ];
  for (const [title, { Procfile = 'web: x', ...files }, message] of refused) {
    it(title, () => {
      const tree = sourceTree(Procfile === '-' ? files : { Procfile, ...files });
      return assert.rejects(python.plan(tree, context), { name: 'BuildpackError', message });
    });
  }
});
