import { totalmem } from 'node:os';
import { raiseSettings, readSetting } from '../syscall/kernel-settings.ts';

/**
 * The kernel remembers each connection that passes a firewall, of all containers and of the host itself in one table; when it
 * is full, new ones are dropped, whoever's they are. So there is room for more than containers have memory for (an open
 * connection costs the container 4 KB or so, and 384 bytes here), and each container's share of what is remembered of closed ones
 * is bounded. See Documentation/networking/nf_conntrack-sysctl.rst.
 */
const ROOM = Math.floor(totalmem() / 8192);

/** On a small machine: more than ordinary apps open, and less than fills the room. */
const LEAST_PER_SECOND = 500;

/**
 * How many connections one container may open in a second, for longer than a moment. Most are forgotten ten seconds after their end, a
 * UDP exchange after two minutes (firewall-table.ts): a container that opens nothing but such ones takes half of the room.
 */
export const CONNECTIONS_PER_SECOND = Math.max(LEAST_PER_SECOND, Math.ceil(ROOM / 256));

const CONNTRACK = '/proc/sys/net/netfilter/nf_conntrack';

/**
 * What there is room for, at least, on the whole machine. Chains that are too long are as good as full. What a container has closed before
 * all was sent is an orphan, of which the kernel keeps so many for all. The last is for addresses in the host's own networks that nobody has: the
 * kernel asks three times, a second apart, and knows no new neighbour of the host's while there are too many (arp(7)).
 */
const SETTINGS: Record<string, number> = {
  [`${CONNTRACK}_max`]: ROOM,
  [`${CONNTRACK}_buckets`]: Math.ceil(ROOM / 4),
  '/proc/sys/net/ipv4/tcp_max_orphans': ROOM,
  '/proc/sys/net/ipv4/neigh/default/gc_thresh3': 16 * CONNECTIONS_PER_SECOND,
};

/** Makes the room where there is less; to be called when a firewall's table is there. */
export function raiseConnectionRoom(): void {
  raiseSettings(SETTINGS);
}

/** Which part of the room for connections is taken; 0 where the kernel does not tell. */
export function partOfRoomTaken(): number {
  try {
    return readSetting(`${CONNTRACK}_count`) / readSetting(`${CONNTRACK}_max`);
  } catch {
    return 0;
  }
}
