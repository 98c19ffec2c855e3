import { readFileSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import type { DnsOptions } from '../traffic.ts';

/** The content of a container's /etc/resolv.conf: our name server, and how the container, else the host, wants names to be completed. */
export function containerResolvConf(nameServer: string, dns: DnsOptions, host: ResolvConf): string {
  const search = dns.search.length > 0 ? dns.search.filter((domain) => domain !== '.') : host.search;
  const chosen = dns.options.length > 0 ? dns.options : host.options.filter(isKept);
  const own = DEFAULT_OPTIONS.filter((option) => !chosen.some((other) => keyOf(other) === keyOf(option)));
  return [
    `nameserver ${nameServer}`,
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    `options ${[...chosen, ...own].join(' ')}`,
    '',
  ].join('\n');
}

/** What a resolv.conf(5) says. */
export interface ResolvConf {
  /** IPv4 or IPv6. */
  servers: string[];
  search: string[];
  options: string[];
}

export function parseResolvConf(text: string): ResolvConf {
  const conf: ResolvConf = { servers: [], search: [], options: [] };
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (keyword === 'nameserver' && isIP(withoutZone(values[0]))) conf.servers.push(values[0]!);
    if (keyword === 'search' || keyword === 'domain') conf.search = values;
    if (keyword === 'options') conf.options.push(...values);
  }
  // resolv.conf(5): without any, the one on this machine.
  return conf.servers.length > 0 ? conf : { ...conf, servers: ['127.0.0.1'] };
}

/** The host's /etc/resolv.conf as it is now; looked at again at most once a second. */
export class HostResolvConf {
  #conf = parseResolvConf('');
  #modified = -1;
  #checkedAt = Number.NEGATIVE_INFINITY;

  read(now = performance.now()): ResolvConf {
    if (now - this.#checkedAt < 1000) return this.#conf;
    this.#checkedAt = now;
    const modified = statSync(FILE, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (modified !== this.#modified) this.#conf = parseResolvConf(readIfThere(FILE));
    this.#modified = modified;
    return this.#conf;
  }
}

const FILE = '/etc/resolv.conf';

/**
 * Names without a dot are those of containers first. While the runtime restarts nobody answers for a moment: ask every two
 * seconds, and for ten.
 */
const DEFAULT_OPTIONS = ['ndots:0', 'timeout:2', 'attempts:5'];

/** Not what is about the host's own servers. */
function isKept(option: string): boolean {
  return !['ndots', 'timeout', 'attempts', 'rotate', 'trust-ad'].includes(keyOf(option));
}

function keyOf(option: string): string {
  return option.split(':', 1)[0]!;
}

/** `fe80::1%eth0` */
function withoutZone(address = ''): string {
  return address.split('%', 1)[0]!;
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
