import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import { adminKeys, parsePublicKeys } from '../../../server/host/admin-key.ts';
import { npmrc } from '../../../server/host/npm-settings.ts';
import { pipSettings, pipVariables } from '../../../server/host/pip-settings.ts';
import { parseSettings, settingsText, socketText, unitText } from '../../../server/host/systemd.ts';

describe('parsePublicKeys()', () => {
  it('takes keys of all kinds, without comments and without lines with options', () => {
    const good = [
      'ssh-ed25519 AAAAC3Nz me@host',
      'sk-ssh-ed25519@openssh.com AAAA',
      'ecdsa-sha2-nistp256 AAAA= x y',
    ];
    const bad = [
      '# ssh-ed25519 AAAA',
      'command="echo no" ssh-rsa AAAA',
      '-----BEGIN OPENSSH PRIVATE KEY-----',
      '',
    ];
    assert.deepEqual(parsePublicKeys([...good, ...bad].join('\n')), good);
  });
});

describe('adminKeys()', () => {
  it('says what is wrong with the named file', () => {
    const folder = mkdtempSync(join(tmpdir(), 'paas-test-'));
    const file = join(folder, 'key');
    writeFileSync(file, 'nonsense');
    assert.throws(() => adminKeys(file, {}), /PAAS_ADMIN_KEY: the file ".*key" holds no SSH public key/);
    assert.throws(() => adminKeys(`${file}.pub`, {}), /is not there/);
    rmSync(folder, { recursive: true });
  });
});

describe('npmrc()', () => {
  it('keeps what decides whether packages can be had, no tokens', () => {
    const settings = {
      registry: 'https://r.example/',
      '@acme:registry': 'https://acme.example/',
      '//r.example/:_authToken': 'secret',
      _auth: 'secret',
      'https-proxy': null,
      noproxy: [''],
      'strict-ssl': true,
      'init-author-name': 'me',
    };
    assert.equal(
      npmrc(settings, () => []),
      'registry=https://r.example/\n@acme:registry=https://acme.example/\nstrict-ssl=true\n',
    );
  });

  it("puts a CA file's certificates in, as builds cannot see the file; the host's own list is there by itself", () => {
    assert.equal(
      npmrc({ cafile: '/home/me/ca.pem' }, () => ['-----A\n-----']),
      'ca[]="-----A\\n-----"\n',
    );
    const bundle = '/etc/ssl/certs/ca-certificates.crt';
    assert.equal(
      npmrc({ cafile: bundle }, () => ['not read']),
      `cafile=${bundle}\n`,
    );
  });
});

describe('pipVariables()', () => {
  it('reads indexes as pip does, without those that have a password or are files', () => {
    const machine = [
      '# the mirror',
      '[global]',
      'index-url = https://mirror.example/simple',
      'cert = /etc/ssl/ca.pem',
      'extra_index_url =',
      '    https://more.example/simple',
      '    file:///opt/pypi',
      '    https://me:secret@private.example/simple',
      '[download]',
      'index-url = https://other.example',
    ].join('\n');
    const common = { PIP_EXTRA_INDEX_URL: 'https://more.example/simple' };
    assert.deepEqual(pipVariables([machine]), {
      PIP_INDEX_URL: 'https://mirror.example/simple',
      ...common,
    });
    const own = '[install]\nindex-url: http://here.example/\ntrusted-host=here.example\n   there.example';
    assert.deepEqual(pipVariables([own, machine]), {
      ...{ PIP_INDEX_URL: 'http://here.example/', PIP_TRUSTED_HOST: 'here.example there.example' },
      ...common,
    });
    assert.deepEqual(
      pipVariables([machine, '[global]\nindex-url = https://me:secret@mirror.example']),
      common,
    );
  });
});

describe('pipSettings()', () => {
  it('takes the environment before the files of pip', () => {
    const home = mkdtempSync(join(tmpdir(), 'paas-test-'));
    mkdirSync(join(home, '.config/pip'), { recursive: true });
    writeFileSync(join(home, '.config/pip/pip.conf'), '[global]\nindex-url = https://file.example/simple\n');
    assert.equal(pipSettings({ HOME: home }).PIP_INDEX_URL, 'https://file.example/simple');
    const given = { HOME: home, PIP_INDEX_URL: 'https://given.example/simple' };
    assert.equal(pipSettings(given).PIP_INDEX_URL, 'https://given.example/simple');
    rmSync(home, { recursive: true });
  });
});

describe('unitText()', () => {
  it('leaves the containers alone when the unit stops, and quotes the folder', () => {
    const text = unitText('/srv/my paas 100%');
    assert.match(text, /^KillMode=process$/m);
    assert.match(text, /^Delegate=yes$/m);
    assert.match(text, /^ExecStart=\/bin\/sh "\/srv\/my paas 100%%\/server\/host\/bootstrap\.sh" start$/m);
  });
});

describe('socketText()', () => {
  it('holds each address, and ends with the unit that needs it', () => {
    const text = socketText([
      { host: '0.0.0.0', port: 80 },
      { host: '127.0.0.1', port: 8443 },
    ]);
    assert.match(text, /^ListenStream=0\.0\.0\.0:80\nListenStream=127\.0\.0\.1:8443\nBacklog=/m);
    assert.match(text, /^StopWhenUnneeded=yes$/m);
    assert.match(unitText('/srv/paas'), /^Requires=paas\.socket$/m);
  });
});

describe('settingsText()', () => {
  it('keeps the settings only', () => {
    const text = settingsText({
      PAAS_HTTP: '0.0.0.0:80',
      REDIS_URL: 'redis://a"b',
      HOME: '/root',
      PAAS_SSH: undefined,
    });
    assert.equal(text, 'PAAS_HTTP="0.0.0.0:80"\nREDIS_URL="redis://a\\"b"\n');
  });
});

describe('parseSettings()', () => {
  it('reads back what settingsText() writes, and what people write', () => {
    const settings = { PAAS_HTTP: '0.0.0.0:80', REDIS_URL: 'redis://a"b\\c' };
    assert.deepEqual(parseSettings(settingsText(settings)), settings);
    assert.deepEqual(parseSettings('# mine\nPAAS_DOMAIN=example.com \n'), { PAAS_DOMAIN: 'example.com' });
  });
});
