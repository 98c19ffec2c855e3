import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import {
  debianMirrors,
  parseDeb822Sources,
  parseOneLineSources,
  parseOsRelease,
  translateSources,
} from '../../../server/host/mirrors.ts';

describe('parseOneLineSources()', () => {
  it("takes binary sources with Debian's main, with or without options", () => {
    const text = [
      'deb http://mirror.example/debian trixie main contrib',
      'deb [arch=amd64 signed-by=/k.gpg] https://mirror.example/debian trixie-updates main',
      'deb-src http://mirror.example/debian trixie main',
      '# deb http://mirror.example/debian sid main',
      'deb https://other.example/tool stable tool',
    ].join('\n');
    assert.deepEqual(parseOneLineSources(text), [
      { uri: 'http://mirror.example/debian', suite: 'trixie', signedBy: undefined },
      { uri: 'https://mirror.example/debian', suite: 'trixie-updates', signedBy: '/k.gpg' },
    ]);
  });
});

describe('parseDeb822Sources()', () => {
  it('gives one source for each address and suite, and leaves out disabled paragraphs', () => {
    const text = [
      'Types: deb deb-src\nURIs: http://a.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\nSigned-By: /k.gpg',
      'Types: deb\nURIs: http://b.example/debian\nSuites: bookworm\nComponents: main\nEnabled: no',
    ].join('\n\n');
    assert.deepEqual(parseDeb822Sources(text), [
      { uri: 'http://a.example/debian', suite: 'bookworm', signedBy: '/k.gpg' },
      { uri: 'http://a.example/debian', suite: 'bookworm-updates', signedBy: '/k.gpg' },
    ]);
  });
});

describe('translateSources()', () => {
  const source = (uri: string, suite: string) => ({ uri, suite, signedBy: undefined });

  it("names the wanted release on the host's mirrors", () => {
    const sources = [
      source('http://m/debian', 'trixie'),
      source('http://m/security', 'trixie-security'),
      source('http://m/debian', 'trixie-backports'),
      source('http://other/debian', 'stable'),
    ];
    assert.deepEqual(translateSources(sources, { from: 'trixie', to: 'bookworm' }), [
      'deb http://m/debian bookworm main',
      'deb http://m/security bookworm-security main',
    ]);
  });

  it('leaves out addresses with passwords and of other kinds, and gives nothing without the release itself', () => {
    const sources = [source('http://user:secret@m/debian', 'trixie'), source('mirror+file:/etc/m', 'trixie')];
    assert.deepEqual(translateSources(sources, { from: 'trixie', to: 'bookworm' }), []);
    const updates = [source('http://m/debian', 'trixie-updates')];
    assert.deepEqual(translateSources(updates, { from: 'trixie', to: 'bookworm' }), []);
  });
});

describe('debianMirrors()', () => {
  it('prefers PAAS_DEBIAN_MIRROR', () => {
    assert.deepEqual(debianMirrors('bookworm', { PAAS_DEBIAN_MIRROR: 'http://m/debian' }), [
      'http://m/debian',
    ]);
  });
});

describe('parseOsRelease()', () => {
  it('reads quoted and bare values', () => {
    assert.deepEqual(parseOsRelease('ID=ubuntu\nVERSION_ID="24.04"\n'), {
      ID: 'ubuntu',
      VERSION_ID: '24.04',
    });
  });
});
