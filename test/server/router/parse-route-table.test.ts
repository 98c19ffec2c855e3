import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { parseRouteTable, RouteTableError } from '../../../server/router/parse-route-table.ts';
import type { RouteTable } from '../../../server/router/route-table.ts';
import { tableOf } from './router-fixture.ts';

describe('parseRouteTable()', () => {
  it('takes a table as it is', () => {
    const table = tableOf([8080, 8081]);
    assert.deepEqual(parseRouteTable(JSON.parse(JSON.stringify(table))), table);
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
