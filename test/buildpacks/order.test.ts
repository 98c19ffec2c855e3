import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { BuildpackError } from '../../buildpacks/buildpack.ts';
import { detectBuildpack } from '../../buildpacks/order.ts';
import { directoryTree, fixtureApp, sourceTree } from '../fixtures/directory-tree.ts';

describe('detectBuildpack()', () => {
  const expected = {
    'node-express': 'nodejs',
    'node-plain': 'nodejs',
    'python-stdlib': 'python',
    'python-wheel': 'python',
    'static-site': 'static',
    'procfile-perl': 'procfile',
  };
  for (const [app, id] of Object.entries(expected)) {
    it(`finds ${id} for ${app}`, () => {
      assert.equal(detectBuildpack(directoryTree(fixtureApp(app))).id, id);
    });
  }

  it('prefers Node.js where several fit', () => {
    const tree = sourceTree({ Procfile: '', 'index.html': '', 'requirements.txt': '', 'package.json': '' });
    assert.equal(detectBuildpack(tree).id, 'nodejs');
  });

  it('does not look into folders', () => {
    assert.throws(() => detectBuildpack(sourceTree({ 'web/package.json': '{}' })), BuildpackError);
  });

  it('says what it looked for', () => {
    assert.throws(() => detectBuildpack(sourceTree({ 'README.md': '' })), {
      name: 'BuildpackError',
      message: [
        'No buildpack detects this app. Looked for:',
        '  Node.js      package.json',
        '  Python       requirements.txt, pyproject.toml, Pipfile, setup.py, runtime.txt, .python-version, manage.py, app.py, main.py',
        '  Static site  index.html or public/index.html',
        '  Procfile     Procfile (programs that run on Debian as they are: shell, perl, static binaries)',
        'Add one of these files at the root of the repository, commit it and push again.',
      ].join('\n'),
    });
  });
});
