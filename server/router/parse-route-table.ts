import { isIP } from 'node:net';
import type { AppRoute, CanaryRoute, DynoRoute, RouteTable } from './route-table.ts';

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
    dynos: parseDynos(app.dynos, `${where}.dynos`),
    ...(app.canary !== undefined && { canary: parseCanary(app.canary, `${where}.canary`) }),
  };
}

function parseCanary(value: unknown, where: string): CanaryRoute {
  const { release, share, dynos } = object(value, where);
  if (typeof share !== 'number' || !(share >= 1 && share <= 99))
    throw new RouteTableError(`${where}.share is no percentage from 1 to 99.`);
  return {
    release: matching(release, NUMBER, `${where}.release`),
    share,
    dynos: parseDynos(dynos, `${where}.dynos`),
  };
}

function parseDynos(value: unknown, where: string): DynoRoute[] {
  return list(value, where).map((dyno, i) => parseDyno(dyno, `${where}[${i}]`));
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
const NUMBER = /^[1-9]\d{0,8}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const SOCKET_PATH = /^\/[^\0]{1,106}$/;
