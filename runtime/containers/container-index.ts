import { EngineError } from '../engine-error.ts';
import type { Container } from './container.ts';
import type { Access } from './container-config.ts';

/** The containers that there are, by id and by name. */
export class ContainerIndex {
  readonly #containers = new Map<string, Container>();
  readonly #byName = new Map<string, Container>();

  add(container: Container): void {
    this.#containers.set(container.id, container);
    this.#byName.set(container.config.name, container);
  }

  delete(container: Container): void {
    this.#containers.delete(container.id);
    this.#byName.delete(container.config.name);
  }

  /** It has another name now than `before`. */
  renamed(container: Container, before: string): void {
    this.#byName.delete(before);
    this.#byName.set(container.config.name, container);
  }

  /** By its whole id. */
  get(id: string): Container | undefined {
    return this.#containers.get(id);
  }

  all(): Container[] {
    return [...this.#containers.values()];
  }

  /** Newest first; only those that `access` may see. */
  list(access: Access): Container[] {
    return this.all()
      .filter((container) => mayAccess(access, container))
      .sort((a, b) => (a.config.created < b.config.created ? 1 : -1));
  }

  /** By id, name, or a prefix of the id. Throws `not_found`, also for one that `access` may not see, and `invalid` for a prefix that several have. */
  find(reference: string, access: Access): Container {
    const name = reference.replace(/^\//, '');
    const known = this.#containers.get(name) ?? this.#byName.get(name) ?? this.#findByPrefix(name, access);
    if (!known || !mayAccess(access, known))
      throw new EngineError('not_found', `No such container: ${reference}`);
    return known;
  }

  /** Returns the name if a container may have it. Throws `invalid`, and `conflict` if another has it. */
  claimName(name: string): string {
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(name)) {
      throw new EngineError(
        'invalid',
        `"${name}" is not a container name: letters, digits, "_", "." and "-".`,
      );
    }
    const holder = this.#byName.get(name);
    if (!holder) return name;
    throw new EngineError(
      'conflict',
      `Conflict. The container name "/${name}" is already in use by container "${holder.id}".`,
    );
  }

  #findByPrefix(prefix: string, access: Access): Container | undefined {
    if (!/^[0-9a-f]{1,63}$/.test(prefix)) return undefined;
    const matches = this.all().filter(
      (container) => container.id.startsWith(prefix) && mayAccess(access, container),
    );
    if (matches.length < 2) return matches[0];
    throw new EngineError('invalid', `multiple IDs found with provided prefix: ${prefix}`);
  }
}

function mayAccess(access: Access, container: Container): boolean {
  return access === 'root' || container.config.origin === 'platform';
}
