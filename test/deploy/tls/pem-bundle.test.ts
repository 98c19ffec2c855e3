import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'mocha';
import { PaasError } from '../../../deploy/model/paas-error.ts';
import { covers } from '../../../deploy/tls/certificate-names.ts';
import { parseBundle } from '../../../deploy/tls/pem-bundle.ts';
import { CertificateMaker, type Made } from './certificate-maker.ts';

describe('parseBundle()', () => {
  const maker = new CertificateMaker();
  let root: Made;
  let middle: Made;
  let site: Made;

  before(() => {
    const isAuthority = ['basicConstraints=critical,CA:TRUE'];
    root = maker.authority();
    middle = maker.make({ issuer: root, subject: '/CN=Middle', extensions: isAuthority });
    site = maker.make({ issuer: middle, names: ['www.Example.com', '*.example.com'] });
  });
  after(() => maker.dispose());

  it('puts key and chain in order, whatever order they come in', () => {
    const parts = [site.key, site.chain, middle.chain, root.chain];
    for (const text of [
      parts.join(''),
      parts.toReversed().join('junk\n'),
      `${site.chain}\r\n${parts.join('\r\n')}`,
    ]) {
      const bundle = parseBundle(text);
      assert.equal(bundle.chain, site.chain + middle.chain + root.chain);
      assert.deepEqual(bundle.names, ['www.example.com', '*.example.com']);
      assert.match(bundle.key, /^-----BEGIN PRIVATE KEY-----/);
    }
  });

  it('takes keys in the older forms', () => {
    const old = (args: string[], kind: string[]) => {
      const made = maker.make({ names: ['a.example'], kind });
      return (
        made.chain +
        execFileSync('openssl', [...args, '-in', made.files.key, '-traditional'], { stdio: 'pipe' })
      );
    };
    assert.match(old(['rsa'], ['rsa:2048']), /BEGIN RSA PRIVATE KEY/);
    for (const text of [
      old(['rsa'], ['rsa:2048']),
      old(['pkey'], ['ec', '-pkeyopt', 'ec_paramgen_curve:secp384r1']),
    ])
      assert.deepEqual(parseBundle(text).names, ['a.example']);
  });

  const refused: [string, RegExp, () => string][] = [
    ['nothing', /no private key/, () => ''],
    ['no key', /no private key/, () => site.chain],
    ['no certificate', /no certificate in it/, () => site.key],
    ['two keys', /2 private keys/, () => site.key + site.chain + middle.key],
    ["another certificate's key", /does not fit the certificate/, () => site.chain + root.key],
    [
      "none of several certificates' key",
      /does not fit any of the 2/,
      () => site.chain + middle.chain + root.key,
    ],
    [
      'a stranger in the chain',
      /"CN=test" is not of the chain/,
      () => site.key + site.chain + maker.make({ names: ['x.example'] }).chain,
    ],
    [
      'a gap in the chain',
      /"O=Test, CN=Test root" is not of the chain/,
      () => site.key + site.chain + root.chain,
    ],
    ['a key with a passphrase', /passphrase/, () => site.chain + encrypted(site)],
    ['a weak key', /1024 bits/, () => both(maker.make({ names: ['a.example'], kind: ['rsa:1024'] }))],
    [
      'a key that browsers do not take',
      /ed25519/,
      () => both(maker.make({ names: ['a.example'], kind: ['ed25519'] })),
    ],
    [
      'a certificate without names',
      /names no host/,
      () => both(maker.make({ subject: '/CN=www.example.com' })),
    ],
    [
      'a certificate for clients',
      /not for servers/,
      () => both(maker.make({ names: ['a.example'], extensions: ['extendedKeyUsage=clientAuth'] })),
    ],
    ['a damaged key', /cannot be read/, () => site.chain + site.key.replace(/\n..../, '\nAAAA')],
    [
      'a damaged certificate',
      /Certificate 1 of 1 cannot be read/,
      () => site.key + site.chain.replace('MII', 'MIM'),
    ],
    ['too much', /Over 20 PEM blocks/, () => site.key + site.chain.repeat(21)],
  ];
  for (const [what, message, text] of refused) {
    it(`refuses ${what}, and never shows the key`, () => {
      const secret = site.key.split('\n')[1]!;
      assert.throws(
        () => parseBundle(text()),
        (error) =>
          error instanceof PaasError && message.test(error.message) && !error.message.includes(secret),
      );
    });
  }

  it('refuses what has expired or is not valid yet', () => {
    const day = (days: number) => new Date(Date.now() + days * 86_400_000);
    assert.throws(() => parseBundle(both(site), day(91)), /expired on 20/);
    assert.throws(() => parseBundle(both(site), day(-1)), /not valid before/);
  });

  it('covers() takes a star for one label', () => {
    assert.ok(covers(['*.example.com'], 'www.example.com'));
    assert.ok(covers(['*.example.com'], '*.example.com'));
    for (const host of ['example.com', 'a.b.example.com', '*.a.example.com', 'example.org'])
      assert.ok(!covers(['*.example.com', 'localhost'], host), host);
  });

  function encrypted({ files }: Made): string {
    const args = ['pkey', '-in', files.key, '-aes256', '-passout', 'pass:secret'];
    return execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
  }
});

function both({ chain, key }: Made): string {
  return chain + key;
}
