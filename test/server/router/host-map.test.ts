import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { HostMap } from '../../../server/router/host-map.ts';

describe('HostMap.find()', () => {
  it('prefers an exact host to a wildcard, and a longer wildcard to a shorter one', () => {
    const map = mapOf('*.example.com', '*.eu.example.com', 'www.example.com', 'example.com');
    assert.equal(map.find('www.example.com', '/'), 'www.example.com');
    assert.equal(map.find('example.com', '/'), 'example.com');
    assert.equal(map.find('a.example.com', '/'), '*.example.com');
    assert.equal(map.find('a.b.example.com', '/'), '*.example.com');
    assert.equal(map.find('a.eu.example.com', '/'), '*.eu.example.com');
    assert.equal(map.find('eu.example.com', '/'), '*.example.com');
    for (const host of ['com', 'badexample.com', 'example.org', '.example.com', '']) {
      assert.equal(map.find(host, '/'), undefined, host);
    }
  });

  it('a wildcard alone does not have the name that it is below of', () => {
    assert.equal(mapOf('*.example.com').find('example.com', '/'), undefined);
  });

  it('takes the longest path of a host that ends at a slash, a question mark or the end', () => {
    const map = mapOf('example.com', 'example.com/api', 'example.com/api/v2');
    for (const [target, place] of [
      ['/', 'example.com'],
      ['/apis', 'example.com'],
      ['/x/api', 'example.com'],
      ['//api', 'example.com'],
      ['*', 'example.com'],
      ['/api', 'example.com/api'],
      ['/api/', 'example.com/api'],
      ['/api?x', 'example.com/api'],
      ['/api/v20', 'example.com/api'],
      ['/api/v2', 'example.com/api/v2'],
      ['/api/v2/x', 'example.com/api/v2'],
    ] as const) {
      assert.equal(map.find('example.com', target), place, target);
    }
  });

  it('goes on to a wildcard where an exact host has only parts', () => {
    const map = mapOf('www.example.com/api', '*.example.com');
    assert.equal(map.find('www.example.com', '/api'), 'www.example.com/api');
    assert.equal(map.find('www.example.com', '/'), '*.example.com');
  });
});

describe('HostMap.delete()', () => {
  it('leaves nothing of a place, and the other places of its host', () => {
    const map = mapOf('example.com', 'example.com/api', '*.example.com/api');
    map.delete('example.com', '');
    assert.equal(map.find('example.com', '/'), undefined);
    assert.equal(map.get('example.com', '/api'), 'example.com/api');
    map.delete('example.com', '/api');
    map.delete('*.example.com', '/api');
    map.delete('nobody.example.com', '');
    assert.equal(map.find('a.example.com', '/api'), undefined);
  });
});

function mapOf(...places: string[]): HostMap<string> {
  const map = new HostMap<string>();
  for (const value of places) {
    const slash = value.indexOf('/');
    map.set({
      host: slash < 0 ? value : value.slice(0, slash),
      path: slash < 0 ? '' : value.slice(slash),
      value,
    });
  }
  return map;
}
