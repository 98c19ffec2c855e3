import { EngineError } from '../engine-error.ts';
import type { Exchange } from './exchange.ts';

export type Handler = (exchange: Exchange) => void | Promise<void>;

/** `{name}` in a pattern stands for one path segment, `{name*}` for several. */
export interface Route {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  pattern: string;
  handler: Handler;
  /** It only says that this runtime does not do it. */
  refused?: true;
}

interface CompiledRoute extends Route {
  expression: RegExp;
}

/** Finds the handler of a request. */
export class Router {
  /** In order, by method and first segment of the path: `POST containers`. */
  readonly #routes = new Map<string, CompiledRoute[]>();

  constructor(routes: Route[]) {
    for (const route of routes) {
      const place = placeOf(route.method, route.pattern);
      const compiled = { ...route, expression: compile(route.pattern) };
      this.#routes.set(place, [...(this.#routes.get(place) ?? []), compiled]);
    }
  }

  /** `path` may begin with a version of the API. Throws `not_found`, and `invalid` for a path that cannot be decoded. */
  match(method: string, path: string): { route: Route; params: Record<string, string> } {
    const bare = path.replace(/^\/v\d+\.\d+(?=\/)/, '');
    for (const route of this.#routes.get(placeOf(method, bare)) ?? []) {
      const match = route.expression.exec(bare);
      if (match) return { route, params: decode(match.groups ?? {}) };
    }
    throw new EngineError('not_found', `This runtime does not know ${method} ${bare}.`);
  }
}

function placeOf(method: string, path: string): string {
  const end = path.indexOf('/', 1);
  return `${method} ${path.slice(1, end < 0 ? undefined : end)}`;
}

function compile(pattern: string): RegExp {
  const expression = pattern.replace(
    /\{(\w+)(\*?)\}/g,
    (_, name, many) => `(?<${name}>${many ? '.+' : '[^/]+'})`,
  );
  return new RegExp(`^${expression}$`);
}

function decode(groups: Record<string, string>): Record<string, string> {
  const params: Record<string, string> = {};
  try {
    for (const name in groups) params[name] = decodeURIComponent(groups[name]!);
  } catch {
    throw new EngineError('invalid', 'The path is not properly encoded.');
  }
  return params;
}
