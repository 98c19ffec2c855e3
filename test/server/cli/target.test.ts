import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseRemote, type Remote } from '../../../server/cli/git-remote.ts';
import { sshArguments } from '../../../server/cli/ssh-arguments.ts';
import { resolveTarget, type Surroundings } from '../../../server/cli/target.ts';

const remote = (name: string, url: string): Remote => parseRemote(name, url)!;
const PAAS = remote('paas', 'ssh://paas@example.com:2222/blog');
const STAGING = remote('staging', 'ssh://paas@staging.example.com/blog-staging');
const ORIGIN = remote('origin', 'git@example.org:blog.git');

const target = (around: Partial<Surroundings>) =>
  resolveTarget({ env: {}, remotes: [], remoteName: undefined, appNamed: false, ...around });

describe('resolveTarget()', () => {
  it('takes the git remote called paas', () => {
    const found = target({ remotes: [ORIGIN, PAAS] });
    assert.deepEqual(
      [found.host.host, found.host.port, found.app, found.note],
      ['example.com', 2222, 'blog', undefined],
    );
  });

  it('takes the only remote of user paas, and says so', () => {
    const found = target({ remotes: [ORIGIN, STAGING] });
    assert.deepEqual(
      [found.app, found.note],
      ['blog-staging', 'App blog-staging, from the git remote staging.'],
    );
  });

  it('says which one where there are several', () => {
    assert.equal(target({ remotes: [PAAS, STAGING] }).note, 'App blog, from the git remote paas.');
    assert.equal(target({ remotes: [PAAS, STAGING], remoteName: 'staging' }).app, 'blog-staging');
    assert.equal(target({ remotes: [PAAS, STAGING], appNamed: true }).note, undefined);
  });

  it('refuses to guess', () => {
    const production = remote('production', 'ssh://paas@example.com/blog');
    assert.throws(() => target({ remotes: [STAGING, production] }), { message: /Choose with --remote NAME/ });
    assert.throws(() => target({ remotes: [PAAS], remoteName: 'nope' }), { message: /No git remote "nope"/ });
    assert.throws(() => target({ remotes: [ORIGIN] }), { message: /No server is known/ });
    assert.throws(() => target({}), { code: 'invalid' });
  });

  it('lets PAAS_APP and PAAS_HOST outweigh the remote', () => {
    const app = target({ remotes: [PAAS], env: { PAAS_APP: 'shop' } });
    assert.deepEqual([app.app, app.host.host, app.note], ['shop', 'example.com', 'App shop, from PAAS_APP.']);
    const host = target({ remotes: [PAAS], env: { PAAS_HOST: 'other.example.com' } });
    assert.deepEqual(
      [host.host.host, host.app],
      ['other.example.com', undefined],
      'the remote is of another server',
    );
    assert.equal(target({ remotes: [PAAS], env: { PAAS_HOST: 'example.com:2222' } }).app, 'blog');
    assert.throws(() => target({ env: { PAAS_HOST: '-oProxyCommand=id' } }), {
      message: /PAAS_HOST should look like/,
    });
  });
});

describe('sshArguments()', () => {
  it('makes exact arguments', () => {
    assert.deepEqual(
      sshArguments(['config:set', "A=it's x"], { host: PAAS, terminal: false, input: false }),
      ['-T', '-n', '-p', '2222', 'paas@example.com', `config:set 'A=it'\\''s x'`],
    );
    assert.deepEqual(sshArguments(['run', 'bash'], { host: STAGING, terminal: true, input: true }), [
      '-t',
      'paas@staging.example.com',
      'run bash',
    ]);
  });
});
