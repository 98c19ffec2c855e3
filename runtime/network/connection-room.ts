import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { writeControl } from '../syscall/files.ts';

/**
 * The kernel remembers each connection that passes a firewall, of all containers and of the host itself in one table; when it
 * is full, new ones are dropped, whoever's they are. So there is room for more than containers have memory for (an open
 * connection costs the container 4 KB or so, and 320 bytes here), and each container's share of what is remembered of closed ones
 * is bounded. See Documentation/networking/nf_conntrack-sysctl.rst.
 */
const ROOM = Math.floor(totalmem() / 8192);

/**
 * How many connections one container may open in a second, for longer than a moment: none of them is remembered for much more than a
 * minute after it has ended (firewall-table.ts), so that a container that opens nothing but such ones takes a quarter of the room.
 */
export const CONNECTIONS_PER_SECOND = Math.ceil(ROOM / 256);

/**
 * What there is room for, at least, on the whole machine. The second is for addresses in the host's own networks that nobody has:
 * the kernel asks three times, a second apart, and knows no new neighbour of the host's while there are too many (arp(7)).
 */
const SETTINGS: Record<string, number> = {
  '/proc/sys/net/netfilter/nf_conntrack_max': ROOM,
  '/proc/sys/net/ipv4/neigh/default/gc_thresh3': 16 * CONNECTIONS_PER_SECOND,
};

/** Makes the room where there is less; to be called when a firewall's table is there. */
export function raiseConnectionRoom(): void {
  for (const [path, room] of Object.entries(SETTINGS)) {
    try {
      if (Number(readFileSync(path, 'latin1')) < room) writeControl(path, String(room));
    } catch (error) {
      console.error(`Containers and the host share what is in "${path}": ${(error as Error).message}`);
    }
  }
}
