import { interfacePrefix } from './address-pool.ts';
import { CONNECTIONS_PER_SECOND } from './connection-room.ts';
import { GATEWAY } from './container-network.ts';

/** What an instance's rules depend on. */
export interface FirewallOptions {
  tag: string;
  /** CIDR of the containers. */
  subnet: string;
  /** Where on the gateway's address our name server listens; containers ask port 53. */
  dnsPort: number;
  /** Where the platform is to be had by everybody, so by containers too. */
  publicAddresses?: { host: string; port: number }[] | undefined;
  /** Of one container, for longer than a moment. Default: its share of the host's. */
  connectionsPerSecond?: number | undefined;
}

/** The table's name in nftables. */
export function tableName(tag: string): string {
  return `paas_${tag}`;
}

/** Whether it is a table of this instance or another. */
export function isPaasTable(name: string): boolean {
  return name.startsWith(tableName(''));
}

/** What a rule matches for an instance's containers. */
export function containerInterfaces(tag: string): string {
  return `"${interfacePrefix(tag)}*"`;
}

/**
 * Where clouds answer a machine's questions about itself (credentials, among others): AWS and most others, Alibaba, Oracle,
 * Azure. The IPv6 one of AWS needs no rule, as containers have no IPv6.
 */
const METADATA = ['169.254.0.0/16', '100.100.100.200', '192.0.0.192', '168.63.129.16'];

/** Of one container; more of them never reach the runtime's process. */
const QUERIES_PER_SECOND = 500;

/** A container may open at once what it may in so many seconds; after as many without any it may again. */
const BURST_SECONDS = 4;

/**
 * The table of an instance, as nft(8) reads it, without anything that belongs to a single container: that is in the sets and
 * maps (firewall-members.ts), so that a packet costs the same however many containers there are.
 *
 * Containers reach the world, and nothing near: no container that shares no network, no service of the host but our name
 * server and the platform's public port, no cloud's metadata service. The host reaches every container. The answers come back.
 *
 * A container opens no more connections than its share, and what it opened is soon forgotten (connection-room.ts); one that nothing passes
 * through after two hours, as RFC 5382 wants. The chain for that is one of nat's as such a chain sees the first packet of each connection alone.
 *
 *   peers         source address → the chain of its networks, which accepts what goes to their members
 *   inside        addresses that do not reach the world
 *   published     protocol and port of the host → container;  published_at: the same for one address of the host
 *   forwards      protocol and port of the host → the chain that chooses a container (firewall-forwards.ts)
 *   selves        a container that publishes ports, twice: reaches itself by them only under the host's address
 */
export function firewallTable(options: FirewallOptions): string {
  const { tag, subnet, dnsPort, connectionsPerSecond = CONNECTIONS_PER_SECOND } = options;
  const burst = BURST_SECONDS * connectionsPerSecond;
  const containers = containerInterfaces(tag);
  const nameServer = `ip daddr ${GATEWAY} meta l4proto { tcp, udp } th dport`;
  return `table inet ${tableName(tag)} {
  map peers { type ipv4_addr : verdict; }
  set inside { type ipv4_addr; }
  map published { type inet_proto . inet_service : ipv4_addr . inet_service; }
  map published_at { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
  set selves { type ipv4_addr . ipv4_addr; }
  map forwards { type inet_proto . inet_service : verdict; }
  set forwarded { type ipv4_addr . ipv4_addr; }
  ct timeout tcp_of_containers {
    protocol tcp
    l3proto ip
    policy = { syn_sent : 30, established : 7440, fin_wait : 30, last_ack : 10, time_wait : 10 }
  }
  set openers { type ipv4_addr; size 65535; flags dynamic, timeout; timeout ${BURST_SECONDS}s; }
  set askers { type ipv4_addr; size 65535; flags dynamic, timeout; timeout 10s; }
  chain spoofed {
    type filter hook prerouting priority raw; policy accept;
    iifname ${containers} fib saddr . iif oif missing drop
    iifname ${containers} meta nfproto ipv6 drop
    iifname ${containers} ip daddr 127.0.0.0/8 drop
  }
  chain opened {
    type nat hook prerouting priority dstnat - 10; policy accept;
    iifname != ${containers} accept
    meta l4proto tcp ct timeout set "tcp_of_containers"
    ${nameServer} 53 accept
    update @openers { ip saddr limit rate over ${connectionsPerSecond}/second burst ${burst} packets } drop
  }
  chain to_published {
    type nat hook prerouting priority dstnat; policy accept;
    iifname ${containers} ${nameServer} 53 dnat ip to ${GATEWAY}:${dnsPort}
    ip daddr != 127.0.0.0/8 jump publish
  }
  chain from_host_to_published {
    type nat hook output priority -100; policy accept;
    jump publish
  }
  chain publish {
    meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport map @published_at
    fib daddr type local meta l4proto { tcp, udp } dnat ip to meta l4proto . th dport map @published
    fib daddr type local meta l4proto { tcp, udp } meta l4proto . th dport vmap @forwards
  }
  chain to_host {
    type filter hook input priority filter - 10; policy accept;
    iifname != ${containers} iifname != "lo" ${nameServer} ${dnsPort} drop
    iifname != ${containers} accept
    ${nameServer} ${dnsPort} add @askers { ip saddr limit rate over ${QUERIES_PER_SECOND}/second burst ${QUERIES_PER_SECOND} packets } drop
    ct state established,related accept
    ${nameServer} ${dnsPort} accept
    ${(options.publicAddresses ?? []).map(publicRule).join('\n    ')}
    drop
  }
  chain from_host {
    type filter hook output priority filter - 10; policy accept;
    oifname ${containers} icmp type destination-unreachable ct original ip daddr ${GATEWAY} ct original proto-dst 53 drop
  }
  chain through_host {
    type filter hook forward priority filter - 10; policy accept;
    iifname ${containers} oifname ${containers} goto between
    oifname ${containers} ct state established,related accept
    oifname ${containers} ct status dnat accept
    oifname ${containers} drop
    iifname != ${containers} accept
    ip saddr @inside drop
    ip daddr { ${METADATA.join(', ')} } drop
  }
  chain between {
    ct status dnat accept
    ip saddr vmap @peers
    drop
  }
  chain to_world {
    type nat hook postrouting priority srcnat; policy accept;
    oifname ${containers} meta l4proto tcp ct timeout set "tcp_of_containers"
    ip saddr ${subnet} oifname != ${containers} masquerade
    oifname ${containers} ip saddr 127.0.0.0/8 snat ip to ${GATEWAY}
    oifname ${containers} ip saddr . ip daddr @selves snat ip to ${GATEWAY}
    oifname ${containers} ip saddr . ip daddr @forwarded snat ip to ${GATEWAY}
  }
}
`;
}

/** Takes the table away, whether it is there or not. */
export function withoutTable(tag: string): string {
  return `table inet ${tableName(tag)}\ndelete table inet ${tableName(tag)}\n`;
}

function publicRule(address: { host: string; port: number }): string {
  if (address.host.startsWith('127.')) return '';
  return `${address.host === '0.0.0.0' ? '' : `ip daddr ${address.host} `}tcp dport ${address.port} accept`;
}
