import type { Membership } from './traffic.ts';

/** Who is called what in which network: what our name server knows by itself. Names are compared without regard to case. */
export class NameDirectory {
  readonly #members = new Map<string, Membership[]>();
  readonly #networks = new Map<string, Map<string, Set<string>>>();

  /** Replaces what is known of an address. */
  set(address: string, networks: Membership[]): void {
    this.delete(address);
    if (networks.length === 0) return;
    this.#members.set(address, networks);
    for (const { network, names } of networks) {
      const known = this.#networks.get(network) ?? new Map<string, Set<string>>();
      this.#networks.set(network, known);
      for (const name of names.map(lowerCase)) known.set(name, (known.get(name) ?? new Set()).add(address));
    }
  }

  delete(address: string): void {
    for (const { network, names } of this.#members.get(address) ?? []) {
      const known = this.#networks.get(network);
      for (const name of names.map(lowerCase)) {
        known?.get(name)?.delete(address);
        if (known?.get(name)?.size === 0) known.delete(name);
      }
      if (known?.size === 0) this.#networks.delete(network);
    }
    this.#members.delete(address);
  }

  /** The addresses that this name has for a container; empty: it shares no network with somebody of this name. */
  addresses(asker: string, name: string): string[] {
    const found = (this.#members.get(asker) ?? []).flatMap(({ network, links }) => {
      const meant = Object.hasOwn(links, lowerCase(name)) ? links[lowerCase(name)]! : name;
      return [...(this.#networks.get(network)?.get(lowerCase(meant)) ?? [])];
    });
    return [...new Set(found)];
  }

  /** What a container calls this address: the first name in the first network that both are in. */
  nameOf(asker: string, address: string): string | undefined {
    const shared = new Set((this.#members.get(asker) ?? []).map(({ network }) => network));
    return this.#members.get(address)?.find(({ network }) => shared.has(network))?.names[0];
  }
}

function lowerCase(name: string): string {
  return name.toLowerCase();
}
