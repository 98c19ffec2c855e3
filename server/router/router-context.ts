import type { BufferPool } from './buffer-pool.ts';
import type { Clock } from './clock.ts';
import type { Limits } from './limits.ts';
import type { RequestHeadReader } from './request-head.ts';
import type { RequestIds } from './request-ids.ts';
import type { ResponseHeadReader } from './response-head.ts';
import type { RouteMap } from './route-map.ts';
import type { RouterLog } from './router-log.ts';
import type { SecureContexts } from './secure-contexts.ts';
import type { Traffic } from './traffic.ts';

/** What every connection shares. */
export interface RouterContext {
  routes: RouteMap;
  log: RouterLog;
  traffic: Traffic;
  limits: Limits;
  contexts: SecureContexts;
  /** Where HTTPS is spoken; undefined: nowhere. */
  httpsPort: number | undefined;
  /** Connections are closed after the request that they carry. */
  stopping: boolean;
  clock: Clock;
  buffers: BufferPool;
  ids: RequestIds;
  requestHeads: RequestHeadReader;
  responseHeads: ResponseHeadReader;
}
