import { spawn } from 'node:child_process';
import { writeControl } from '../syscall/files.ts';
import { interfacePrefix } from './address-pool.ts';

/** What an instance's rules depend on. */
export interface FirewallOptions {
  tag: string;
  /** CIDR of the containers. */
  subnet: string;
  /** Resolvers that containers use: reachable even on the host itself. */
  nameServers: string[];
}

/** Lets the host forward, and puts our nftables table in place of the one that was there. Throws with nft's words. */
export async function ensureFirewall(options: FirewallOptions): Promise<void> {
  writeControl('/proc/sys/net/ipv4/ip_forward', '1');
  await nft(firewallRules(options));
}

/** Takes the table away. */
export async function removeFirewall(tag: string): Promise<void> {
  await nft(`table inet ${tableName(tag)}\ndelete table inet ${tableName(tag)}\n`);
}

/**
 * The table of an instance, as nft(8) reads it. Containers reach the world, and nothing near: no container, no service
 * of the host, no cloud's metadata service. The host reaches every container; the answers
 * come back. What the host sends to a container that is gone must not leave by the default route: a gateway may answer for it.
 */
export function firewallRules({ tag, subnet, nameServers }: FirewallOptions): string {
  const table = tableName(tag);
  const containers = `"${interfacePrefix(tag)}*"`;
  const resolvers =
    nameServers.length > 0
      ? `ip daddr { ${nameServers.join(', ')} } meta l4proto { tcp, udp } th dport 53 accept`
      : '';
  return `
table inet ${table}
delete table inet ${table}
table inet ${table} {
  chain spoofed {
    type filter hook prerouting priority raw; policy accept;
    iifname ${containers} fib saddr . iif oif missing drop
    iifname ${containers} meta nfproto ipv6 drop
  }
  chain to_host {
    type filter hook input priority filter - 10; policy accept;
    iifname != ${containers} accept
    ct state established,related accept
    ${resolvers}
    drop
  }
  chain through_host {
    type filter hook forward priority filter - 10; policy accept;
    oifname ${containers} ct state established,related accept
    oifname ${containers} drop
    iifname != ${containers} accept
    ip daddr 169.254.0.0/16 drop
  }
  chain to_world {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${subnet} oifname != ${containers} masquerade
  }
}
`;
}

function tableName(tag: string): string {
  return `paas_${tag}`;
}

function nft(rules: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('nft', ['-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += chunk;
    });
    child.on('error', (error) => {
      reject(new Error(`Could not run nft; install nftables: ${error.message}.`, { cause: error }));
    });
    child.on('close', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`nft refused the containers' firewall: ${errors.trim()}`));
    });
    child.stdin.on('error', () => {});
    child.stdin.end(rules);
  });
}
