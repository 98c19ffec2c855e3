import { isIP } from 'node:net';
import type { AppRoute, DynoRoute, RouteTable } from './route-table.ts';

/** A route table that cannot be taken; the message says which part. */
export class RouteTableError extends Error {}

/** Checks a route table. Throws RouteTableError. */
export function parseRouteTable(value: unknown): RouteTable {
  const table = object(value, 'the table');
  const dashboard = object(table.dashboard, 'dashboard');
  const parsed: RouteTable = {
    dashboard: {
      host: matching(dashboard.host, HOST, 'dashboard.host'),
      socketPath: matching(dashboard.socketPath, SOCKET_PATH, 'dashboard.socketPath'),
    },
    apps: list(table.apps, 'apps').map((app, i) => parseApp(app, `apps[${i}]`)),
  };
  checkHosts(parsed);
  return parsed;
}

function parseApp(value: unknown, where: string): AppRoute {
  const app = object(value, where);
  const state = STATES.find((known) => known === app.state);
  if (!state) throw new RouteTableError(`${where}.state is none of ${STATES.join(', ')}.`);
  return {
    app: matching(app.app, NAME, `${where}.app`),
    hosts: list(app.hosts, `${where}.hosts`).map((host, i) => matching(host, HOST, `${where}.hosts[${i}]`)),
    state,
    ...(app.page !== undefined && { page: matching(app.page, PAGE, `${where}.page`) }),
    dynos: list(app.dynos, `${where}.dynos`).map((dyno, i) => parseDyno(dyno, `${where}.dynos[${i}]`)),
  };
}

function parseDyno(value: unknown, where: string): DynoRoute {
  const dyno = object(value, where);
  const { address, port } = parseAddress(dyno, where);
  return { name: matching(dyno.name, NAME, `${where}.name`), address, port };
}

/** Checks a dyno's address and port. Throws RouteTableError. */
export function parseAddress(value: unknown, where: string): { address: string; port: number } {
  const { address, port } = object(value, where);
  if (typeof address !== 'string' || isIP(address) === 0)
    throw new RouteTableError(`${where}.address is no IP address.`);
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65535) {
    throw new RouteTableError(`${where}.port is no port.`);
  }
  return { address, port };
}

/** One host, one place to go. */
function checkHosts(table: RouteTable): void {
  const seen = new Set([table.dashboard.host]);
  for (const app of table.apps) {
    for (const host of app.hosts) {
      if (seen.has(host)) throw new RouteTableError(`The host "${host}" stands in the table twice.`);
      seen.add(host);
    }
  }
}

function object(value: unknown, where: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RouteTableError(`${where} is no object.`);
  }
  return value as Record<string, unknown>;
}

function list(value: unknown, where: string): unknown[] {
  if (!Array.isArray(value)) throw new RouteTableError(`${where} is no list.`);
  return value;
}

function matching(value: unknown, pattern: RegExp, where: string): string {
  if (typeof value !== 'string' || !pattern.test(value)) {
    throw new RouteTableError(`${where} must match ${pattern.source}.`);
  }
  return value;
}

const STATES = ['up', 'booting', 'asleep', 'crashed', 'stopped', 'no-release', 'maintenance'] as const;
/** UTF-8 of at most 64 KiB has no more characters. */
const PAGE = /^.{1,65536}$/s;
const HOST = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const SOCKET_PATH = /^\/[^\0]{1,106}$/;
