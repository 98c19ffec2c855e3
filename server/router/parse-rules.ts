import { BlockList, isIP } from 'node:net';
import { HOST, integer, list, matching, object, optional, PAGE, RouteTableError } from './parse-value.ts';
import type { PathRoute, RedirectRoute, RouteRules } from './route-table.ts';

export function parsePaths(value: unknown, where: string): PathRoute[] {
  return list(value, where).map((entry, i) => {
    const { host, path, strip } = object(entry, `${where}[${i}]`);
    return {
      host: matching(host, HOST, `${where}[${i}].host`),
      path: matching(path, PATH, `${where}[${i}].path`),
      strip: strip === true,
    };
  });
}

export function parseRedirects(value: unknown, where: string): RedirectRoute[] {
  return list(value, where).map((entry, i) => {
    const { host, to, status } = object(entry, `${where}[${i}]`);
    if (status !== 301 && status !== 302 && status !== 307 && status !== 308)
      throw new RouteTableError(`${where}[${i}].status is none of 301, 302, 307, 308.`);
    return {
      host: matching(host, HOST, `${where}[${i}].host`),
      to: matching(to, REDIRECT_TO, `${where}[${i}].to`),
      status,
    };
  });
}

export function parseRules(value: unknown, where: string): RouteRules {
  const rules = object(value, where);
  return {
    ...optional(rules, 'allow', (allow) => parseRanges(allow, `${where}.allow`)),
    ...optional(rules, 'rate', (rate) => parseRate(rate, `${where}.rate`)),
    ...optional(rules, 'users', (users) => parseUsers(users, `${where}.users`)),
  };
}

/** By status. */
export function parsePages(value: unknown, where: string): Record<string, string> {
  const pages = Object.entries(object(value, where));
  return Object.fromEntries(
    pages.map(([status, page]) => [
      matching(status, ERROR_STATUS, where),
      matching(page, PAGE, `${where}.${status}`),
    ]),
  );
}

function parseRanges(value: unknown, where: string): string[] {
  return list(value, where).map((range, i) => {
    const text = matching(range, RANGE, `${where}[${i}]`);
    const [address, bits] = text.split('/');
    try {
      if (bits !== undefined)
        new BlockList().addSubnet(address!, Number(bits), isIP(address!) === 6 ? 'ipv6' : 'ipv4');
      else if (isIP(address!) === 0) throw new Error('no address');
    } catch {
      throw new RouteTableError(`${where}[${i}] is no address and no CIDR.`);
    }
    return text;
  });
}

function parseRate(value: unknown, where: string): NonNullable<RouteRules['rate']> {
  const { requests, milliseconds, burst } = object(value, where);
  return {
    requests: integer(requests, `${where}.requests`, [1, 1_000_000]),
    milliseconds: integer(milliseconds, `${where}.milliseconds`, [1, 24 * 3600 * 1000]),
    burst: integer(burst, `${where}.burst`, [1, 1_000_000]),
  };
}

function parseUsers(value: unknown, where: string): NonNullable<RouteRules['users']> {
  return list(value, where).map((user, i) => {
    const { name, hash } = object(user, `${where}[${i}]`);
    return {
      name: matching(name, USER, `${where}[${i}].name`),
      hash: matching(hash, PASSWORD_HASH, `${where}[${i}].hash`),
    };
  });
}

const PATH = /^(?=.{2,200}$)(\/[A-Za-z0-9._~-]+)+$/;
const REDIRECT_TO =
  /^(https?:\/\/)?(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*(:\d{1,5})?$/;
const ERROR_STATUS = /^(401|403|429|502|503)$/;
const RANGE = /^[0-9a-f.:]{2,45}(\/\d{1,3})?$/;
const USER = /^[A-Za-z0-9._@-]{1,64}$/;
const PASSWORD_HASH = /^scrypt:(1024|2048|4096|8192|16384):8:1:[\w-]{16,64}:[\w-]{22,128}$/;
