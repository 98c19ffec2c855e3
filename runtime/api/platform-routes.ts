import { EngineError } from '../engine-error.ts';
import type { Route } from './router.ts';

/**
 * What the platform's socket answers: an endpoint that is not here is refused there, also one that comes with a later version.
 * Each one gives and takes only what the platform made itself, except images, which all share. No exec: it can be of another user
 * than its container.
 */
export const PLATFORM_ROUTES: ReadonlySet<string> = new Set([
  ...['GET /_ping', 'HEAD /_ping', 'GET /version', 'GET /info', 'GET /events'],
  ...['GET /containers/json', 'POST /containers/create', 'DELETE /containers/{id}', 'POST /commit'],
  ...ofContainers('GET', 'json', 'logs', 'stats', 'top', 'listening', 'attach/ws'),
  ...ofContainers('POST', 'start', 'stop', 'restart', 'kill', 'pause', 'unpause', 'wait', 'resize', 'update'),
  'POST /containers/{id}/attach',
  ...['GET /images/json', 'GET /images/{name*}/json', 'GET /images/{name*}/history'],
  ...['POST /images/{name*}/tag', 'DELETE /images/{name*}', 'POST /images/prune'],
  ...['GET /networks', 'GET /networks/{id}', 'POST /networks/create', 'DELETE /networks/{id}'],
  ...['GET /forwards', 'POST /forwards'],
  ...['POST /networks/{id}/connect', 'POST /networks/{id}/disconnect', 'POST /networks/prune'],
]);

/** Throws `forbidden` for an endpoint that the platform's socket does not have. */
export function refuseForeignRoute({ method, pattern }: Pick<Route, 'method' | 'pattern'>): void {
  if (PLATFORM_ROUTES.has(`${method} ${pattern}`)) return;
  throw new EngineError('forbidden', `${method} ${pattern} is not allowed on this socket.`);
}

function ofContainers(method: Route['method'], ...actions: string[]): string[] {
  return actions.map((action) => `${method} /containers/{id}/${action}`);
}
