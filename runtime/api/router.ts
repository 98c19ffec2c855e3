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
  readonly #routes: CompiledRoute[];

  constructor(routes: Route[]) {
    this.#routes = routes.map((route) => ({ ...route, expression: compile(route.pattern) }));
  }

  /** `path` may begin with a version of the API. Throws `not_found`, and `invalid` for a path that cannot be decoded. */
  match(method: string, path: string): { route: Route; params: Record<string, string> } {
    const bare = path.replace(/^\/v\d+\.\d+(?=\/)/, '');
    for (const route of this.#routes) {
      const match = route.method === method ? route.expression.exec(bare) : null;
      if (match) return { route, params: decode(match.groups ?? {}) };
    }
    throw new EngineError('not_found', `This runtime does not know ${method} ${bare}.`);
  }
}

function compile(pattern: string): RegExp {
  const expression = pattern.replace(
    /\{(\w+)(\*?)\}/g,
    (_, name, many) => `(?<${name}>${many ? '.+' : '[^/]+'})`,
  );
  return new RegExp(`^${expression}$`);
}

function decode(groups: Record<string, string>): Record<string, string> {
  try {
    return Object.fromEntries(
      Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]),
    );
  } catch {
    throw new EngineError('invalid', 'The path is not properly encoded.');
  }
}
