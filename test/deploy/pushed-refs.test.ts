import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { decidePush, parseQuestion } from '../../deploy/receive/pushed-refs.ts';

const zero = '0'.repeat(40);
const a = 'a'.repeat(40);
const change = (ref: string, to = a) => ({ old: zero, new: to, ref });

describe('parseQuestion()', () => {
  it('reads quarantine and refs', () => {
    const question = parseQuestion(
      `objects /r/objects/in\nalternates /r/objects\nref ${zero} ${a} refs/heads/main\nend\n`,
    );
    assert.deepEqual(question, {
      quarantine: { GIT_OBJECT_DIRECTORY: '/r/objects/in', GIT_ALTERNATE_OBJECT_DIRECTORIES: '/r/objects' },
      refs: [change('refs/heads/main')],
    });
  });

  it('refuses a question that was cut off', () => {
    assert.throws(() => parseQuestion('objects /x\n'), { code: 'internal' });
  });
});

describe('decidePush()', () => {
  it('deploys main and master', () => {
    assert.equal(decidePush([change('refs/heads/main')]).commit, a);
    assert.equal(decidePush([change('refs/heads/master')]).commit, a);
  });

  it('keeps other branches and tags without a build', () => {
    const decision = decidePush([change('refs/heads/feature/x'), change('refs/tags/v1.0')]);
    assert.equal(decision.commit, undefined);
    assert.deepEqual(decision.branches, [{ name: 'feature/x', commit: a }]);
    assert.deepEqual(decision.notes, ['Pushed a tag, skipping build.']);
  });

  it('lets other branches be deleted, the deploy branch not', () => {
    assert.equal(decidePush([change('refs/heads/old', zero)]).commit, undefined);
    assert.throws(() => decidePush([change('refs/heads/main', zero)]), { code: 'invalid' });
  });

  it('refuses refs that are no branch or tag, and names with anything unusual', () => {
    for (const ref of [
      'refs/paas/x',
      'refs/notes/x',
      'refs/heads/$(id)',
      'refs/heads/-x',
      'refs/heads/a b',
      'HEAD',
    ]) {
      assert.throws(() => decidePush([change(ref)]), { code: 'invalid' }, ref);
    }
  });
});
