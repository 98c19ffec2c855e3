import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Access } from '../containers/container-config.ts';
import { removeFile, replaceFileDurably, syncFolder } from '../durable-file.ts';
import { EngineError } from '../engine-error.ts';
import { builtInNetworks, type Network } from './network.ts';

/** What a client says of a network that it wants. */
export type NetworkRequest = Pick<
  Network,
  'name' | 'internal' | 'labels' | 'options' | 'ipam' | 'attachable'
>;

/** The networks that there are: `<id>.json` each in a folder, and those that are always there. */
export class NetworkCatalog {
  readonly bridge: Network;
  readonly none: Network;
  readonly #folder: string;
  readonly #networks = new Map<string, Network>();

  constructor(options: { folder: string; subnet: string }) {
    this.#folder = options.folder;
    const { bridge, none } = builtInNetworks(options.subnet);
    this.bridge = bridge;
    this.none = none;
    for (const network of [bridge, none]) this.#networks.set(network.id, network);
  }

  /** Reads what an earlier runtime wrote. */
  open(): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    for (const file of readdirSync(this.#folder).filter((name) => /^[0-9a-f]{64}\.json$/.test(name))) {
      const network: Network = JSON.parse(readFileSync(join(this.#folder, file), 'utf8'));
      this.#networks.set(network.id, network);
    }
  }

  /** By its whole id. */
  get(id: string): Network | undefined {
    return this.#networks.get(id);
  }

  /** Oldest first; only those that `access` may see. */
  list(access: Access): Network[] {
    return [...this.#networks.values()]
      .filter((network) => mayAccess(access, network))
      .sort((one, other) => (one.created > other.created ? 1 : -1));
  }

  /** By id, name, or a prefix of the id. Throws `not_found`, also for one that `access` may not see. */
  find(reference: string, access: Access): Network {
    const seen = this.list(access);
    const byPrefix = /^[0-9a-f]{1,64}$/.test(reference)
      ? seen.filter((network) => network.id.startsWith(reference))
      : [];
    const found =
      seen.find(({ id, name }) => id === reference || name === reference) ??
      (byPrefix.length === 1 ? byPrefix[0] : undefined);
    if (!found) throw new EngineError('not_found', `network ${reference} not found`);
    return found;
  }

  /** It is on the disk when this returns. Throws `invalid`, and `conflict` if the name is taken. */
  create(request: NetworkRequest, access: Access): Network {
    const { name } = request;
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) {
      throw new EngineError('invalid', `"${name}" is not a network name: letters, digits, "_", "." and "-".`);
    }
    if (
      ['host', 'default'].includes(name) ||
      [...this.#networks.values()].some((known) => known.name === name)
    ) {
      throw new EngineError('conflict', `network with name ${name} already exists`);
    }
    const network: Network = {
      id: randomBytes(32).toString('hex'),
      created: new Date().toISOString(),
      origin: access,
      driver: 'bridge',
      ...request,
    };
    replaceFileDurably(this.#fileOf(network), JSON.stringify(network));
    this.#networks.set(network.id, network);
    return network;
  }

  /** Throws `forbidden` for one that is always there. */
  remove(network: Network): void {
    if (network.origin === 'everybody') {
      throw new EngineError('forbidden', `${network.name} is a pre-defined network and cannot be removed`);
    }
    removeFile(this.#fileOf(network));
    syncFolder(this.#folder);
    this.#networks.delete(network.id);
  }

  #fileOf({ id }: Network): string {
    return join(this.#folder, `${id}.json`);
  }
}

function mayAccess(access: Access, network: Network): boolean {
  return access === 'root' || network.origin !== 'root';
}
