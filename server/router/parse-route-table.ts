import { isIP } from 'node:net';
import { parsePages, parsePaths, parseRedirects, parseRules } from './parse-rules.ts';
import { parseCertificates, parseChallenges, parseHttps, parsePassthrough } from './parse-tls.ts';
import { HOST, integer, list, matching, object, optional, PAGE, RouteTableError } from './parse-value.ts';
import type { AppRoute, CanaryRoute, DynoRoute, RouteChange, RouteTable } from './route-table.ts';

/** Checks a route table. Throws RouteTableError. */
export function parseRouteTable(value: unknown): RouteTable {
  const table = object(value, 'the table');
  const dashboard = object(table.dashboard, 'dashboard');
  const parsed: RouteTable = {
    ...optional(table, 'revision', (revision) => matching(revision, REVISION, 'revision')),
    dashboard: {
      host: matching(dashboard.host, HOST, 'dashboard.host'),
      socketPath: matching(dashboard.socketPath, SOCKET_PATH, 'dashboard.socketPath'),
    },
    apps: list(table.apps, 'apps').map((app, i) => parseApp(app, `apps[${i}]`)),
    ...optional(table, 'certificates', (entries) => parseCertificates(entries, 'certificates')),
    ...optional(table, 'challenges', (entries) => parseChallenges(entries, 'challenges')),
  };
  checkPlaces(parsed.apps, new Set([parsed.dashboard.host]));
  return parsed;
}

/** Checks a change of a route table, as far as that can be without the table. Throws RouteTableError. */
export function parseRouteChange(value: unknown): RouteChange {
  const change = object(value, 'the change');
  const parsed: RouteChange = {
    from: matching(change.from, REVISION, 'from'),
    to: matching(change.to, REVISION, 'to'),
    apps: list(change.apps, 'apps').map((app, i) => parseApp(app, `apps[${i}]`)),
    gone: list(change.gone, 'gone').map((app, i) => matching(app, NAME, `gone[${i}]`)),
  };
  checkPlaces(parsed.apps, new Set());
  return parsed;
}

function parseApp(value: unknown, where: string): AppRoute {
  const app = object(value, where);
  return {
    app: matching(app.app, NAME, `${where}.app`),
    hosts: list(app.hosts, `${where}.hosts`).map((host, i) => matching(host, HOST, `${where}.hosts[${i}]`)),
    state: parseState(app.state, `${where}.state`),
    ...optional(app, 'paths', (paths) => parsePaths(paths, `${where}.paths`)),
    ...optional(app, 'redirects', (redirects) => parseRedirects(redirects, `${where}.redirects`)),
    ...optional(app, 'rules', (rules) => parseRules(rules, `${where}.rules`)),
    ...optional(app, 'https', (https) => parseHttps(https, `${where}.https`)),
    ...optional(app, 'passthrough', (hosts) => parsePassthrough(hosts, `${where}.passthrough`)),
    ...optional(app, 'page', (page) => matching(page, PAGE, `${where}.page`)),
    ...optional(app, 'errorPages', (pages) => parsePages(pages, `${where}.errorPages`)),
    ...(app.sticky === true && { sticky: true }),
    dynos: parseDynos(app.dynos, `${where}.dynos`),
    ...optional(app, 'ports', (ports) => parsePorts(ports, `${where}.ports`)),
    ...optional(app, 'canary', (canary) => parseCanary(canary, `${where}.canary`)),
  };
}

function parseState(value: unknown, where: string): AppRoute['state'] {
  const state = STATES.find((known) => known === value);
  if (!state) throw new RouteTableError(`${where} is none of ${STATES.join(', ')}.`);
  return state;
}

function parsePorts(value: unknown, where: string): NonNullable<AppRoute['ports']> {
  return list(value, where).map((entry, i) => {
    const { port, state, dynos } = object(entry, `${where}[${i}]`);
    return {
      port: integer(port, `${where}[${i}].port`, [1, 65_535]),
      state: parseState(state, `${where}[${i}].state`),
      dynos: parseDynos(dynos, `${where}[${i}].dynos`),
    };
  });
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

/** One place, one app. */
function checkPlaces(apps: AppRoute[], seen: Set<string>): void {
  const add = (place: string) => {
    if (seen.has(place)) throw new RouteTableError(`"${place}" stands in the table twice.`);
    seen.add(place);
  };
  for (const { app, hosts, paths = [], redirects = [], passthrough = [], ports = [] } of apps) {
    add(`app ${app}`);
    for (const host of hosts) add(host);
    for (const { host, path } of paths) add(host + path);
    for (const { host } of redirects) add(host);
    for (const { host } of passthrough) add(`TLS of ${host}`);
    for (const { port } of ports) add(`port ${port}`);
  }
}

const STATES = ['up', 'booting', 'asleep', 'crashed', 'stopped', 'no-release', 'maintenance'] as const;
const REVISION = /^[\w.-]{1,80}$/;
const NUMBER = /^[1-9]\d{0,8}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const SOCKET_PATH = /^\/[^\0]{1,106}$/;
