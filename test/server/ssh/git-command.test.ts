import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { isGitCommand, NO_SUCH_REPOSITORY, parseGitCommand } from '../../../server/ssh/git-command.ts';

describe('parseGitCommand()', () => {
  for (const path of ['blog', 'blog.git', '/blog', '/blog.git', '/blog/']) {
    it(`reads ${path}, quoted or not`, () => {
      for (const quoted of [path, `'${path}'`]) {
        assert.deepEqual(parseGitCommand(`git-receive-pack ${quoted}`), { service: 'receive', app: 'blog' });
        assert.deepEqual(parseGitCommand(`git upload-pack ${quoted}`), { service: 'upload', app: 'blog' });
      }
    });
  }

  for (const command of [
    "git-receive-pack '--upload-pack=x'",
    'git-receive-pack --upload-pack=x',
    "git-receive-pack '../a'",
    "git-receive-pack '/../a'",
    "git-receive-pack 'a/../b'",
    "git-receive-pack 'a;id'",
    "git-receive-pack 'a' ; id",
    "git-receive-pack 'a'; id",
    "git-receive-pack 'a' 'b'",
    'git-receive-pack a b',
    "git-receive-pack 'a\n'",
    "git-receive-pack 'a'\n",
    "\ngit-receive-pack 'a'",
    " git-receive-pack 'a'",
    "git-receive-pack  'a'",
    "git-receive-pack '$(id)'",
    'git-receive-pack `id`',
    "git-receive-pack 'a'\\''b'",
    'git-receive-pack "a"',
    `git-receive-pack '${'a'.repeat(300)}'`,
    `git-receive-pack '${'a'.repeat(64)}'`,
    "git-receive-pack 'Blog'",
    "git-receive-pack 'blög'",
    "git-receive-pack '~/blog'",
    "git-receive-pack '/srv/blog.git'",
    "git-receive-pack 'paas'",
    "git-receive-pack ''",
    'git-receive-pack',
    "git-upload-archive 'blog'",
    "git-shell -c 'id'",
    'git',
    'git --exec-path',
    "git-upload-pack --strict 'blog'",
    "git-upload-pack 'ext::sh -c id'",
    'git-upload-pack ext::x',
    'git config --global x y',
    "GIT_TRACE=1 git-receive-pack 'a'",
  ]) {
    it(`refuses ${JSON.stringify(command).slice(0, 60)} with the one answer`, () => {
      assert.throws(() => parseGitCommand(command), { code: 'invalid', message: NO_SUCH_REPOSITORY });
    });
  }
});

describe('isGitCommand()', () => {
  it('claims whatever git could mean, and nothing of ours', () => {
    for (const command of ['git', 'git x', ' git-x', 'git-', 'git\nx'])
      assert.ok(isGitCommand(command), command);
    for (const command of ['gitx', 'apps', 'config:set git=1', ''])
      assert.ok(!isGitCommand(command), command);
  });
});
