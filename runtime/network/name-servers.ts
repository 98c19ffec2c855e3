import { readFileSync } from 'node:fs';

/**
 * The content of a container's /etc/resolv.conf: the host's, without resolvers on loopback, which a container cannot
 * reach. When systemd-resolved is the host's resolver, those that it asks itself.
 */
export function containerResolvConf(): string {
  const [own = '', behindResolved = ''] = FILES.map(readIfThere);
  const text = reachableServers(own).length > 0 ? own : behindResolved;
  const options = text
    .split('\n')
    .filter((line) => /^(search|options)\s/.test(line) && !/trust-ad/.test(line));
  return [...reachableServers(text).map((server) => `nameserver ${server}`), ...options, ''].join('\n');
}

/** The IPv4 resolvers in a resolv.conf(5) that others than the host itself can reach. */
export function reachableServers(text: string): string[] {
  return [...text.matchAll(/^\s*nameserver\s+(\d+\.\d+\.\d+\.\d+)/gm)]
    .map((match) => match[1]!)
    .filter((server) => !server.startsWith('127.'));
}

const FILES = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
