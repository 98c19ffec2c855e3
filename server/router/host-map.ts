/** Something to be found by the host, and maybe the beginning of the path, of a request. */
export interface Place<T> {
  /** Lower case; `*.example.com`: every name below. */
  host: string;
  /** e.g. `/api`; '': all paths that no other place of the host has. */
  path: string;
  value: T;
}

/** What all requests to one host find. */
interface HostEntry<T> {
  rest: T | undefined;
  /** The longest first; undefined: none, as with most hosts. */
  parts: { path: string; value: T }[] | undefined;
}

/** Finds by host and path. An exact host comes before a wildcard, a long wildcard before a short one, a long path before a short one. */
export class HostMap<T> {
  readonly #exact = new Map<string, HostEntry<T>>();
  /** By what stands behind the asterisk: `.example.com`. */
  readonly #wildcards = new Map<string, HostEntry<T>>();

  /** `target`: of the request, with its query. */
  find(host: string, target: string): T | undefined {
    const entry = this.#exact.get(host);
    if (entry) {
      if (entry.parts === undefined) return entry.rest;
      const found = findPart(entry.parts, target) ?? entry.rest;
      if (found !== undefined) return found;
    }
    return this.#wildcards.size === 0 ? undefined : this.#findWildcard(host, target);
  }

  /** Replaces what was at this place. */
  set({ host, path, value }: Place<T>): void {
    const { map, key } = this.#mapOf(host);
    const entry = map.get(key) ?? { rest: undefined, parts: undefined };
    map.set(key, entry);
    if (path === '') {
      entry.rest = value;
      return;
    }
    const others = (entry.parts ?? []).filter((part) => part.path !== path);
    entry.parts = [...others, { path, value }].sort((a, b) => b.path.length - a.path.length);
  }

  /** What stands at exactly this place. */
  get(host: string, path: string): T | undefined {
    const { map, key } = this.#mapOf(host);
    const entry = map.get(key);
    return path === '' ? entry?.rest : entry?.parts?.find((part) => part.path === path)?.value;
  }

  delete(host: string, path: string): void {
    const { map, key } = this.#mapOf(host);
    const entry = map.get(key);
    if (!entry) return;
    if (path === '') entry.rest = undefined;
    else entry.parts = entry.parts?.filter((part) => part.path !== path);
    if (entry.parts?.length === 0) entry.parts = undefined;
    if (entry.rest === undefined && entry.parts === undefined) map.delete(key);
  }

  #mapOf(host: string): { map: Map<string, HostEntry<T>>; key: string } {
    return host.startsWith('*.')
      ? { map: this.#wildcards, key: host.slice(1) }
      : { map: this.#exact, key: host };
  }

  #findWildcard(host: string, target: string): T | undefined {
    for (let dot = host.indexOf('.'); dot > 0; dot = host.indexOf('.', dot + 1)) {
      const entry = this.#wildcards.get(host.slice(dot));
      const found = entry && ((entry.parts && findPart(entry.parts, target)) ?? entry.rest);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function findPart<T>(parts: { path: string; value: T }[], target: string): T | undefined {
  return parts.find(({ path }) => isBelow(target, path))?.value;
}

/** `/api` has `/api`, `/api/x` and `/api?x`, not `/apis`. */
function isBelow(target: string, path: string): boolean {
  if (!target.startsWith(path)) return false;
  const next = target.charCodeAt(path.length);
  return Number.isNaN(next) || next === SLASH || next === QUESTION_MARK;
}

const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;
