import { EngineError, type EngineErrorCode } from '../engine-error.ts';
import type { Route } from './router.ts';

export const NO_REGISTRY =
  'this runtime talks to no registry: bring an image with `docker save … | docker load`, or a file system with `docker import`.';
const NO_BUILD =
  'this runtime builds nothing from a Dockerfile: push the app with git, or build elsewhere and bring the image with `docker load`.';
const NO_PLUGINS = 'this runtime has no plugins.';
const NOT_A_MANAGER = 'This node is not a swarm manager: this runtime knows one machine only.';

/** Endpoints of the Engine API that are known and refused: method, path, and why. */
const REFUSED: [Route['method'], string, EngineErrorCode, string][] = [
  ['POST', '/images/{name*}/push', 'unsupported', `Nothing can be pushed: ${NO_REGISTRY}`],
  ['GET', '/images/search', 'unsupported', `There is nothing to search: ${NO_REGISTRY}`],
  ['GET', '/distribution/{name*}/json', 'unsupported', `There is nothing to look up: ${NO_REGISTRY}`],
  ['POST', '/auth', 'unsupported', `There is nowhere to sign in: ${NO_REGISTRY}`],
  ['POST', '/build', 'unsupported', `Nothing can be built: ${NO_BUILD}`],
  ['POST', '/session', 'unsupported', `There is no build session: ${NO_BUILD}`],
  ...plugins('GET', '/plugins/privileges'),
  // docker inspect looks here, too, for what it does not find elsewhere.
  ['GET', '/plugins/{name*}/json', 'not_found', `There is no such plugin: ${NO_PLUGINS}`],
  ...plugins('DELETE', '/plugins/{name*}'),
  ...plugins(
    'POST',
    '/plugins/pull',
    '/plugins/create',
    '/plugins/{name*}/enable',
    '/plugins/{name*}/disable',
  ),
  ...plugins('POST', '/plugins/{name*}/upgrade', '/plugins/{name*}/push', '/plugins/{name*}/set'),
  ...swarm('GET', '/swarm', '/swarm/unlockkey', '/nodes', '/nodes/{id}', '/services', '/services/{id}'),
  ...swarm('GET', '/services/{id}/logs', '/tasks', '/tasks/{id}', '/tasks/{id}/logs', '/secrets'),
  ...swarm('GET', '/secrets/{id}', '/configs', '/configs/{id}'),
  ...swarm('POST', '/swarm/init', '/swarm/join', '/swarm/leave', '/swarm/update', '/swarm/unlock'),
  ...swarm('POST', '/nodes/{id}/update', '/services/create', '/services/{id}/update', '/secrets/create'),
  ...swarm('POST', '/secrets/{id}/update', '/configs/create', '/configs/{id}/update'),
  ...swarm('DELETE', '/nodes/{id}', '/services/{id}', '/secrets/{id}', '/configs/{id}'),
  ...swarm('PUT', '/volumes/{name}'),
];

/** What this runtime does not do answers with the API's own error shape: 501, or 503 where a swarm's manager is meant. */
export function unsupportedRoutes(): Route[] {
  const refused = REFUSED.map(([method, pattern, code, reason]): Route => {
    const handler = () => {
      throw new EngineError(code, reason);
    };
    return { method, pattern, handler, refused: true };
  });
  return [
    ...refused,
    { method: 'GET', pattern: '/plugins', handler: (exchange) => exchange.send(200, []) },
    {
      method: 'POST',
      pattern: '/build/prune',
      handler: (exchange) => exchange.send(200, { CachesDeleted: [], SpaceReclaimed: 0 }),
    },
  ];
}

function plugins(method: Route['method'], ...paths: string[]): typeof REFUSED {
  return paths.map((path) => [method, path, 'unsupported', `There is no such plugin: ${NO_PLUGINS}`]);
}

function swarm(method: Route['method'], ...paths: string[]): typeof REFUSED {
  return paths.map((path) => [method, path, 'unavailable', NOT_A_MANAGER]);
}
