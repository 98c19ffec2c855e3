import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseRouteTable } from '../../../server/router/parse-route-table.ts';
import { RouteTableError } from '../../../server/router/parse-value.ts';
import type { RouteTable } from '../../../server/router/route-table.ts';
import { tableOf } from './router-fixture.ts';

describe('parseRouteTable()', () => {
  it('takes a table as it is', () => {
    const table = tableOf([8080, 8081]);
    assert.deepEqual(parseRouteTable(JSON.parse(JSON.stringify(table))), table);
    const full = changed(table, {
      hosts: ['app.localhost', '*.example.com'],
      paths: [{ host: '*.example.com', path: '/api/v2', strip: true }],
      redirects: [{ host: 'www.example.com', to: 'https://example.com:8443', status: 308 }],
      rules: {
        allow: ['10.0.0.0/8', '::1', 'fd00::/8'],
        rate: { requests: 5, milliseconds: 1000, burst: 10 },
        users: [{ name: 'ada', hash: `scrypt:16384:8:1:${'a'.repeat(22)}:${'b'.repeat(43)}` }],
      },
      errorPages: { 503: '<h1>\u00fc</h1>' },
      sticky: true,
      https: { redirect: true, hsts: 31_536_000 },
      passthrough: [{ host: 'own.example.com', port: 8443 }],
    });
    assert.deepEqual(parseRouteTable(JSON.parse(JSON.stringify(full))), full);
    const secure = {
      ...table,
      certificates: [pair({ hosts: ['example.com', '*.example.com'] })],
      challenges: [
        { host: 'example.com', token: 'abc-_', answer: 'abc-_.thumb' },
        { host: 'b.example', token: 'x', answer: 'x.y', certificate: { chain: 'CHAIN', key: 'KEY' } },
      ],
    };
    assert.deepEqual(parseRouteTable(JSON.parse(JSON.stringify(secure))), secure);
  });

  const refused: [what: string, change: (table: RouteTable) => unknown][] = [
    ['no object', () => []],
    ['no apps', (table) => ({ ...table, apps: undefined })],
    ['no dashboard', (table) => ({ ...table, dashboard: null })],
    ['a relative socket', (table) => ({ ...table, dashboard: { host: 'a', socketPath: 'b' } })],
    ['a host in upper case', (table) => changed(table, { hosts: ['A.example'] })],
    ['a host with a port', (table) => changed(table, { hosts: ['a.example:80'] })],
    ['a host with a line break', (table) => changed(table, { hosts: ['a.example\n'] })],
    ['a host twice', (table) => changed(table, { hosts: ['a', 'a'] })],
    ["the dashboard's host for an app", (table) => changed(table, { hosts: ['paas.localhost'] })],
    ['a wildcard in the middle', (table) => changed(table, { hosts: ['a.*.example'] })],
    ['a certificate for no host name', (table) => ({ ...table, certificates: [pair({ hosts: ['a b'] })] })],
    ['a certificate without a key', (table) => ({ ...table, certificates: [pair({ key: undefined })] })],
    [
      'a challenge whose token is a path',
      (table) => ({ ...table, challenges: [{ host: 'a.example', token: '../a', answer: 'a' }] }),
    ],
    [
      'a challenge whose answer has a line break',
      (table) => ({ ...table, challenges: [{ host: 'a.example', token: 'a', answer: 'a\r\nb' }] }),
    ],
    ['HTTPS that may be or not', (table) => changed(table, { https: {} })],
    ['an age below zero', (table) => changed(table, { https: { redirect: true, hsts: -1 } })],
    [
      'a passthrough to no port',
      (table) => changed(table, { passthrough: [{ host: 'a.example', port: 0 }] }),
    ],
    [
      'a passthrough twice',
      (table) => changed(table, { passthrough: [1, 2].map((port) => ({ host: 'a.example', port })) }),
    ],
    ['a wildcard alone', (table) => changed(table, { hosts: ['*'] })],
    [
      'a place twice',
      (table) =>
        changed(table, {
          paths: [
            { host: 'a.example', path: '/x' },
            { host: 'a.example', path: '/x', strip: true },
          ],
        }),
    ],
    [
      'a path with an empty part',
      (table) => changed(table, { paths: [{ host: 'a.example', path: '/x//y' }] }),
    ],
    [
      'a redirect with a line break',
      (table) => changed(table, { redirects: [{ host: 'a.example', to: 'b.example\r\nX: y', status: 301 }] }),
    ],
    [
      'a redirect with another status',
      (table) => changed(table, { redirects: [{ host: 'a.example', to: 'b.example', status: 200 }] }),
    ],
    ['a range that is none', (table) => changed(table, { rules: { allow: ['10.0.0.0/33'] } })],
    ['an address that is none', (table) => changed(table, { rules: { allow: ['10.0.0.999'] } })],
    [
      'a password that costs too much',
      (table) =>
        changed(table, {
          rules: { users: [{ name: 'a', hash: `scrypt:1048576:8:1:${'a'.repeat(22)}:${'b'.repeat(43)}` }] },
        }),
    ],
    ['an error page for a good answer', (table) => changed(table, { errorPages: { 200: 'x' } })],
    ['an unknown state', (table) => changed(table, { state: 'on' })],
    [
      'a dyno with a name as its address',
      (table) => changed(table, { dynos: [{ name: 'web.1', address: 'localhost', port: 1 }] }),
    ],
    [
      'a dyno with a port too high',
      (table) => changed(table, { dynos: [{ name: 'web.1', address: '::1', port: 65536 }] }),
    ],
    [
      'a dyno with quotes in its name',
      (table) => changed(table, { dynos: [{ name: '"', address: '::1', port: 1 }] }),
    ],
  ];
  for (const [what, change] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parseRouteTable(change(tableOf([1]))), RouteTableError);
    });
  }
});

function changed(table: RouteTable, change: object): unknown {
  return { ...table, apps: [{ ...table.apps[0], ...change }] };
}

function pair(change: object): object {
  return { hosts: ['a.example'], chain: 'CHAIN', key: 'KEY', ...change };
}
