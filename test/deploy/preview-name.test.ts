import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseAppName } from '../../deploy/model/app-name.ts';
import { previewName } from '../../deploy/previews.ts';

describe('previewName()', () => {
  it('is the branch below the app', () => {
    assert.equal(previewName('blog', 'feature-1'), 'blog-feature-1');
  });

  it('tells branches apart that look the same in a host name', () => {
    const names = ['a/b', 'a-b', 'A-b', 'a_b'].map((branch) => previewName('blog', branch));
    assert.equal(new Set(names).size, 4);
    assert.equal(names[1], 'blog-a-b');
  });

  it('is always an app name', () => {
    for (const branch of ['x'.repeat(200), '日本', '...', '-', 'UPPER', 'a'.repeat(58)])
      for (const app of ['b', 'a'.repeat(57)]) assert.ok(parseAppName(previewName(app, branch)), branch);
  });

  it('refuses where there is no room', () => {
    assert.throws(() => previewName('a'.repeat(60), 'feature'), { code: 'invalid' });
  });
});
