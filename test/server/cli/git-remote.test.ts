import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseHost, parseRemote, parseRemotes } from '../../../server/cli/git-remote.ts';

describe('parseRemote()', () => {
  it('reads ssh URLs and scp style', () => {
    const blog = { name: 'paas', user: 'paas', host: 'example.com', app: 'blog' };
    assert.deepEqual(parseRemote('paas', 'ssh://paas@example.com:2222/blog'), { ...blog, port: 2222 });
    assert.deepEqual(parseRemote('paas', 'ssh://example.com/blog.git'), { ...blog, port: undefined });
    assert.deepEqual(parseRemote('paas', 'paas@example.com:blog.git'), { ...blog, port: undefined });
    assert.deepEqual(parseRemote('paas', 'git@example.com:/blog'), { ...blog, user: 'git', port: undefined });
    assert.deepEqual(parseRemote('paas', 'ssh://paas@[2001:db8::1]:2222/blog'), {
      ...blog,
      host: '2001:db8::1',
      port: 2222,
    });
  });

  it('takes no other URL, and none that ssh would read as an option', () => {
    for (const url of [
      'https://example.com/blog.git',
      'git@github.com:owner/repository.git',
      'ssh://paas@-oProxyCommand=id/blog',
      'paas@-oProxyCommand=id:blog',
      '-oProxyCommand=id:blog',
      'ssh://-x@example.com',
      'ssh://paas@example.com:2222/../x',
      'ext::sh -c id',
      '/srv/blog.git',
      'ssh://paas@example.com/$(id)',
    ]) {
      assert.equal(parseRemote('paas', url), undefined, url);
    }
  });
});

describe('parseHost()', () => {
  it('reads the forms of PAAS_HOST', () => {
    assert.deepEqual(parseHost('example.com'), { user: 'paas', host: 'example.com', port: undefined });
    assert.deepEqual(parseHost('git@example.com:2222'), { user: 'git', host: 'example.com', port: 2222 });
    assert.deepEqual(parseHost('ssh://paas@127.0.0.1:2222/'), {
      user: 'paas',
      host: '127.0.0.1',
      port: 2222,
    });
    for (const text of ['', '-oProxyCommand=id', 'a b', 'host:port', 'x;y'])
      assert.equal(parseHost(text), undefined);
  });
});

describe('parseRemotes()', () => {
  it("reads git config's listing and leaves out what leads to no app", () => {
    const listing = [
      'remote.origin.url https://example.com/blog.git',
      'remote.paas.url ssh://paas@example.com:2222/blog',
      'core.sshcommand ssh -v',
      'remote.my.staging.url paas@staging.example.com:blog-staging',
      '',
    ].join('\n');
    assert.deepEqual(
      parseRemotes(listing).map(({ name, app }) => [name, app]),
      [
        ['paas', 'blog'],
        ['my.staging', 'blog-staging'],
      ],
    );
  });
});
