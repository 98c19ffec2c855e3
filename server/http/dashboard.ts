import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { Platform } from '../../deploy/platform.ts';
import type { Config } from '../config.ts';
import { Assets } from './assets.ts';
import { EventStreams } from './event-stream.ts';
import { Exchange, type Parts, type SignedIn } from './exchange.ts';
import { publicError } from './http-error.ts';
import { Notices } from './notices.ts';
import { showHowTo } from './pages/sign-in.ts';
import { type Route, routes } from './routes.ts';
import { requireFormToken, requireSameOrigin } from './same-origin.ts';
import { securityHeaders } from './security-headers.ts';
import { readSessionIds } from './session-cookie.ts';
import { Views } from './views.ts';

export interface DashboardOptions {
  platform: Platform;
  /** With the SSH port that is really open, because pages print it. */
  config: Config;
  log: (message: string, error?: unknown) => void;
}

/**
 * The dashboard as an Express app, meant to listen on a unix socket behind our own router. Loads templates and
 * compresses assets when a page first needs them.
 */
export function createDashboard({ platform, config, log }: DashboardOptions): Express {
  const assets = new Assets();
  const parts: Parts = {
    platform,
    config,
    log,
    assets,
    views: new Views((name) => assets.url(name)),
    notices: new Notices(),
    streams: new EventStreams((id) => platform.sessions.find(id) !== undefined),
  };
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.use(securityHeaders);
  for (const route of routes) addRoute(app, route, parts);
  app.use((req: Request, res: Response) =>
    showNotFound(new Exchange(parts, { req, res, session: session(parts, req) })),
  );
  app.use((error: unknown, req: Request, res: Response, _next: NextFunction) =>
    showError(parts, { error, req, res }),
  );
  return app;
}

function addRoute(app: Express, route: Route, parts: Parts): void {
  if (route.method === 'GET') {
    app.get(route.path, (req, res) => answer(route, parts, { req, res }));
  } else {
    app.post(route.path, requireOwnPage, readForm, (req, res) => answer(route, parts, { req, res }));
  }
}

/** The checks that stand before every page and every change. */
async function answer(
  route: Route,
  parts: Parts,
  { req, res }: { req: Request; res: Response },
): Promise<void> {
  const exchange = new Exchange(parts, { req, res, session: session(parts, req) });
  if (route.access === 'session') {
    if (!exchange.isSignedIn) return showHowTo(exchange, 401);
    if (route.method === 'POST') requireFormToken(exchange.form.get('csrf'), exchange.session.csrf);
  }
  await route.handle(exchange);
}

/** Of several cookies only one may be a session: of two that are, one is planted, and neither counts. */
function session(parts: Parts, req: Request): SignedIn | undefined {
  const found = readSessionIds(req).flatMap((id) => {
    const known = parts.platform.sessions.find(id);
    return known ? [{ ...known, id }] : [];
  });
  return found.length === 1 ? found[0] : undefined;
}

function requireOwnPage(req: Request, _res: Response, next: NextFunction): void {
  requireSameOrigin(req);
  next();
}

/** Form bodies only, as text: `URLSearchParams` reads them without turning names into objects. */
const readForm = express.text({ type: 'application/x-www-form-urlencoded', limit: '1mb' });

async function showNotFound(exchange: Exchange): Promise<void> {
  if (!exchange.isSignedIn) return showHowTo(exchange, 401);
  await exchange.page('error', { status: 404, title: 'Not found', message: 'There is no such page.' }, 404);
}

async function showError(
  parts: Parts,
  { error, req, res }: { error: unknown; req: Request; res: Response },
): Promise<void> {
  const shown = publicError(error);
  if (shown.status >= 500) parts.log(`dashboard: ${req.method} ${routeOf(req)} failed`, error);
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const exchange = new Exchange(parts, { req, res, session: session(parts, req) });
  if (shown.status === 401) return showHowTo(exchange, 401);
  await exchange.page('error', shown, shown.status);
}

/** The route's pattern rather than the path: a path may hold a one-time token. */
function routeOf(req: Request): string {
  return req.route && typeof req.route.path === 'string' ? req.route.path : '(no route)';
}
