import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { Filters } from '../../../runtime/api/filters.ts';
import { type Route, Router } from '../../../runtime/api/router.ts';

const route = (method: Route['method'], pattern: string): Route => ({ method, pattern, handler: () => {} });

describe('Router', () => {
  const router = new Router([
    route('GET', '/containers/json'),
    route('GET', '/containers/{id}/json'),
    route('DELETE', '/images/{name*}'),
  ]);

  it('Router.match() finds a path with and without a version', () => {
    for (const prefix of ['', '/v1.41', '/v1.50']) {
      assert.deepEqual(router.match('GET', `${prefix}/containers/a%2Fb/json`).params, { id: 'a/b' });
    }
    assert.deepEqual(router.match('DELETE', '/v1.47/images/a/b:c').params, { name: 'a/b:c' });
  });

  it('Router.match() refuses other methods, other paths, and what it cannot decode', () => {
    for (const path of ['/containers', '/containers/a/b/json', '/x/containers/json', '/containers/json/']) {
      assert.throws(() => router.match('GET', path), { code: 'not_found' });
    }
    assert.throws(() => router.match('POST', '/containers/json'), { code: 'not_found' });
    assert.throws(() => router.match('GET', '/containers/%zz/json'), { code: 'invalid' });
  });
});

describe('Filters', () => {
  it('Filters.labels() wants all labels', () => {
    const labels = { app: 'demo', empty: '' };
    for (const text of ['{"label":["app=demo","empty"]}', '{"label":{"app":true}}', '{}', null]) {
      assert.ok(new Filters(text).labels(labels));
    }
    for (const wanted of ['app=x', 'other', 'toString', 'empty=x']) {
      assert.ok(!new Filters(JSON.stringify({ label: [wanted] })).labels(labels));
    }
  });

  it('Filters.some() is true without the filter; nonsense is refused', () => {
    assert.ok(new Filters('{"id":[]}').some('id', () => false));
    assert.throws(() => new Filters('x'), { code: 'invalid' });
  });
});
