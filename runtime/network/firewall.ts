import { writeControl } from '../syscall/files.ts';
import { FirewallMembers } from './firewall-members.ts';
import { type FirewallOptions, firewallTable, tableName, withoutTable } from './firewall-table.ts';
import { nft, nftList } from './nft.ts';
import type { Traffic } from './traffic.ts';

/**
 * An instance's table in nftables. Changes of several containers that come while nft works are made together, in one
 * transaction; the event loop never waits for the kernel.
 */
export class Firewall {
  readonly #options: FirewallOptions;
  readonly #members: FirewallMembers;
  #wanted = new Map<string, Traffic | undefined>();
  #working: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: FirewallOptions) {
    this.#options = options;
    this.#members = new FirewallMembers(options.tag);
  }

  /** Lets the host forward; puts the table in place if there is none. One that is there may hold what containers need. */
  async open(): Promise<void> {
    writeControl('/proc/sys/net/ipv4/ip_forward', '1');
    if (!(await isThere(this.#options.tag))) await nft(firewallTable(this.#options));
  }

  /** Resolves when the kernel knows what a container's address may do; undefined: nothing beyond what all may. */
  set(address: string, traffic: Traffic | undefined): Promise<void> {
    this.#wanted.set(address, traffic);
    return this.#changeSoon();
  }

  /** The same, to be made known by the next `replace`. */
  note(address: string, traffic: Traffic): void {
    this.#members.change(new Map([[address, traffic]]));
  }

  /** Replaces the table by a new one with everything that is known, in one transaction: nothing passes in between. */
  replace(): Promise<void> {
    const { tag } = this.#options;
    this.#working = this.#working
      .catch(() => {})
      .then(() => nft(withoutTable(tag) + firewallTable(this.#options) + this.#members.all()));
    return this.#working;
  }

  /** Takes the table away. */
  static async remove(tag: string): Promise<void> {
    await nft(withoutTable(tag));
  }

  #changeSoon(): Promise<void> {
    this.#next ??= this.#working
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        this.#working = this.#change();
        return this.#working;
      });
    return this.#next;
  }

  async #change(): Promise<void> {
    const wanted = this.#wanted;
    this.#wanted = new Map();
    const commands = this.#members.change(wanted);
    if (commands === '') return;
    try {
      await nft(commands);
    } catch {
      // Somebody else has changed or flushed the table.
      await nft(withoutTable(this.#options.tag) + firewallTable(this.#options) + this.#members.all());
    }
  }
}

async function isThere(tag: string): Promise<boolean> {
  const tables = await nftList('tables');
  return tables.some((item) => (item.table as { name?: string } | undefined)?.name === tableName(tag));
}
