import { writeControl } from '../syscall/files.ts';
import { type NftablesChange, watchNftables } from '../syscall/nftables-events.ts';
import { raiseConnectionRoom } from './connection-room.ts';
import { FirewallForwards, type ForwardRule } from './firewall-forwards.ts';
import { FirewallMembers } from './firewall-members.ts';
import {
  type FirewallOptions,
  firewallTable,
  isPaasTable,
  tableName,
  withoutTable,
} from './firewall-table.ts';
import { Nft } from './nft.ts';
import { planPassage, planPassageRemoval } from './passage.ts';
import type { Traffic } from './traffic.ts';

/** Others seldom change one rule alone. */
const SETTLE_MILLISECONDS = 100;

/**
 * An instance's table in nftables. Changes of several containers that come while nft works are made together, in one
 * transaction; the event loop never waits for the kernel. When others have changed their rules, it sees to it that ours are
 * still there (`nft flush ruleset` takes them too) and that theirs let containers' traffic pass.
 */
export class Firewall {
  readonly #options: FirewallOptions;
  readonly #members: FirewallMembers;
  readonly #forwards: FirewallForwards;
  readonly #nft = new Nft();
  #wanted = new Map<string, Traffic | undefined>();
  #working: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #check: NodeJS.Timeout | undefined;
  #unwatch = () => {};
  #closed = false;

  constructor(options: FirewallOptions) {
    this.#options = options;
    this.#members = new FirewallMembers(options.tag);
    this.#forwards = new FirewallForwards(options.tag);
  }

  /**
   * Lets the host forward, with room for containers' connections; puts the table in place if there is none. One that is there may
   * hold what containers need.
   */
  async open(): Promise<void> {
    writeControl('/proc/sys/net/ipv4/ip_forward', '1');
    if (!(await this.#isThere())) await this.#nft.change(firewallTable(this.#options));
    raiseConnectionRoom();
  }

  /** Resolves when the kernel knows what a container's address may do; undefined: nothing beyond what all may. */
  set(address: string, traffic: Traffic | undefined): Promise<void> {
    this.#wanted.set(address, traffic);
    this.#next ??= this.#inTurn(() => {
      this.#next = undefined;
      return this.#change();
    });
    return this.#next;
  }

  /** Resolves when the host's ports lead where these say, in the place of the last ones. */
  forward(rules: ForwardRule[]): Promise<void> {
    return this.#inTurn(() => this.#changeOrReplace(this.#forwards.change(rules)));
  }

  /** The same, to be made known by the next `replace`. */
  note(address: string, traffic: Traffic): void {
    this.#members.change(new Map([[address, traffic]]));
  }

  /** Replaces the table by a new one with everything that is known, in one transaction: nothing passes in between. */
  replace(): Promise<void> {
    return this.#inTurn(() => this.#replaceNow());
  }

  /** Looks after what others have changed, and will change until `close`. */
  watch(): void {
    this.#unwatch();
    this.#unwatch = watchNftables((change) => {
      if (change && !this.#concernsUs(change)) return;
      this.#check ??= setTimeout(() => void this.#afterChange(), SETTLE_MILLISECONDS).unref();
    });
    void this.#afterChange();
  }

  /** The rules stay as they are now. */
  close(): void {
    this.#closed = true;
    this.#unwatch();
    this.#unwatch = () => {};
    clearTimeout(this.#check);
  }

  /** Closes, and takes the table away when what is being done to it has ended. */
  async dismantle(): Promise<void> {
    this.close();
    await this.#working.catch(() => {});
    await Firewall.remove(this.#options.tag);
  }

  /** Takes the table away, and our rules in those of others. */
  static async remove(tag: string): Promise<void> {
    const nft = new Nft();
    await nft.change(withoutTable(tag));
    await nft.change(planPassageRemoval(tag, await nft.foreignChains()));
  }

  /** What other instances do in their tables does not. */
  #concernsUs({ pid, tables }: NftablesChange): boolean {
    const own = tableName(this.#options.tag);
    return [...tables].some((table) => (table === own ? !this.#nft.isOwn(pid) : !isPaasTable(table)));
  }

  async #afterChange(): Promise<void> {
    this.#check = undefined;
    try {
      await this.#inTurn(async () => {
        if (!(await this.#isThere())) await this.#replaceNow();
        await this.#nft.change(planPassage(this.#options.tag, await this.#nft.foreignChains()));
      });
    } catch (error) {
      console.error('The containers’ firewall, after others have changed theirs:', error);
    }
  }

  async #isThere(): Promise<boolean> {
    return (await this.#nft.tables()).includes(tableName(this.#options.tag));
  }

  /** After what is being done, whether that succeeds or not; not after the end. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    this.#working = this.#working.catch(() => {}).then(() => (this.#closed ? undefined : work()));
    return this.#working;
  }

  async #change(): Promise<void> {
    const wanted = this.#wanted;
    this.#wanted = new Map();
    await this.#changeOrReplace(this.#members.change(wanted));
  }

  async #changeOrReplace(commands: string): Promise<void> {
    try {
      await this.#nft.change(commands);
    } catch {
      // Somebody else has changed or flushed the table.
      await this.#replaceNow();
    }
  }

  #replaceNow(): Promise<void> {
    const { tag } = this.#options;
    return this.#nft.change(
      withoutTable(tag) + firewallTable(this.#options) + this.#members.all() + this.#forwards.all(),
    );
  }
}
