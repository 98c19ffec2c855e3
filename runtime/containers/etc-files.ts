import { GATEWAY } from '../network/container-network.ts';

/** The files in /etc that differ from container to container, by name. */
export function etcFiles(container: {
  hostname: string;
  /** Empty: none. */
  domainName: string;
  address: string | undefined;
  /** `name:ip` each; the IP can be `host-gateway`. */
  extraHosts: readonly string[];
  resolvConf: string;
}): Record<string, string> {
  return {
    hosts: hostsFile(container),
    hostname: `${container.hostname}\n`,
    'resolv.conf': container.resolvConf,
  };
}

function hostsFile({ hostname, domainName, address, extraHosts }: Parameters<typeof etcFiles>[0]): string {
  const lines = [
    '127.0.0.1\tlocalhost',
    ...IPV6,
    `${address ?? '127.0.1.1'}\t${ownNames(hostname, domainName)}`,
    ...extraHosts.map((entry) => {
      const colon = entry.indexOf(':');
      const address = entry.slice(colon + 1);
      return `${address === 'host-gateway' ? GATEWAY : address}\t${entry.slice(0, colon)}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

/** As Docker writes them (moby, libnetwork/etchosts). */
const IPV6 = [
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

/** The whole name, and its first label: the domain can be part of the host's name, too. */
function ownNames(hostname: string, domainName: string): string {
  const whole = domainName ? `${hostname}.${domainName}` : hostname;
  const [first = ''] = whole.split('.');
  return first === whole ? whole : `${whole} ${first}`;
}
