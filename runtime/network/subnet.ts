/** An IPv4 network and the addresses that containers may have in it. */
export class Subnet {
  readonly cidr: string;
  /** Length of the prefix. */
  readonly bits: number;
  readonly #base: number;
  readonly #size: number;

  /** @param cidr `172.30.0.0/16`; at least a /24. */
  constructor(cidr: string) {
    const [network = '', prefix = ''] = cidr.split('/');
    this.bits = Number(prefix);
    this.#size = 2 ** (32 - this.bits);
    this.#base = Math.floor(toNumber(network) / this.#size) * this.#size;
    this.cidr = `${toAddress(this.#base)}/${prefix}`;
  }

  contains(address: string): boolean {
    const offset = this.offset(address);
    return offset >= 0 && offset < this.#size;
  }

  /** Whether some address is in both. */
  overlaps(other: Subnet): boolean {
    return this.contains(toAddress(other.#base)) || other.contains(toAddress(this.#base));
  }

  /** How many containers can have an address; the first and the last of the network are not used. */
  get capacity(): number {
    return this.#size - 2;
  }

  /** The address with this offset, from 1 to `capacity`. */
  address(offset: number): string {
    return toAddress(this.#base + offset);
  }

  /** The inverse of `address`. */
  offset(address: string): number {
    return toNumber(address) - this.#base;
  }
}

function toNumber(address: string): number {
  return address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
}

function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}
