import type { Exchange } from './exchange.ts';
import * as app from './pages/app.ts';
import * as apps from './pages/apps.ts';
import * as builds from './pages/builds.ts';
import * as canary from './pages/canary.ts';
import * as checks from './pages/checks.ts';
import * as config from './pages/config-vars.ts';
import * as cron from './pages/cron.ts';
import * as domains from './pages/domains.ts';
import * as keys from './pages/keys.ts';
import * as logs from './pages/logs.ts';
import * as releases from './pages/releases.ts';
import * as routing from './pages/routing.ts';
import * as settings from './pages/settings.ts';
import * as signIn from './pages/sign-in.ts';
import * as webhooks from './pages/webhooks.ts';

/** Who may come in: `anyone`, or only whoever has a `session`. Every POST must come from a page of ours besides. */
export type Access = 'anyone' | 'session';

export interface Route {
  method: 'GET' | 'POST';
  path: string;
  access: Access;
  handle: (exchange: Exchange) => Promise<void> | void;
}

/** Everything that the dashboard answers, and to whom: the one access table, which a test walks. */
export const routes: Route[] = [
  {
    method: 'GET',
    path: '/assets/:file',
    access: 'anyone',
    handle: ({ parts, req, res }) => parts.assets.serve(req, res),
  },
  { method: 'GET', path: '/login', access: 'anyone', handle: signIn.showHowTo },
  { method: 'GET', path: '/login/:token', access: 'anyone', handle: signIn.askToSignIn },
  { method: 'POST', path: '/login/:token', access: 'anyone', handle: signIn.signIn },
  { method: 'POST', path: '/logout', access: 'session', handle: signIn.signOut },

  { method: 'GET', path: '/', access: 'session', handle: apps.show },
  { method: 'GET', path: '/events', access: 'session', handle: apps.stream },
  { method: 'POST', path: '/apps', access: 'session', handle: apps.create },

  { method: 'GET', path: '/builds', access: 'session', handle: builds.showQueue },
  { method: 'GET', path: '/builds/events', access: 'session', handle: builds.streamQueue },

  { method: 'GET', path: '/keys', access: 'session', handle: keys.show },
  { method: 'POST', path: '/keys', access: 'session', handle: keys.add },
  { method: 'POST', path: '/keys/remove', access: 'session', handle: keys.remove },

  { method: 'GET', path: '/apps/:app', access: 'session', handle: app.show },
  { method: 'GET', path: '/apps/:app/events', access: 'session', handle: app.stream },
  { method: 'POST', path: '/apps/:app/scale', access: 'session', handle: app.scale },
  { method: 'POST', path: '/apps/:app/restart', access: 'session', handle: app.restart },

  { method: 'GET', path: '/apps/:app/releases', access: 'session', handle: releases.show },
  { method: 'POST', path: '/apps/:app/rollback', access: 'session', handle: releases.rollback },
  { method: 'POST', path: '/apps/:app/canary', access: 'session', handle: canary.set },
  { method: 'POST', path: '/apps/:app/canary/promote', access: 'session', handle: canary.promote },
  { method: 'POST', path: '/apps/:app/canary/abort', access: 'session', handle: canary.abort },

  { method: 'GET', path: '/apps/:app/builds', access: 'session', handle: builds.showOfApp },
  { method: 'GET', path: '/apps/:app/builds/events', access: 'session', handle: builds.streamOfApp },
  { method: 'GET', path: '/apps/:app/builds/:id', access: 'session', handle: builds.show },
  { method: 'GET', path: '/apps/:app/builds/:id/output', access: 'session', handle: builds.streamOutput },
  { method: 'POST', path: '/apps/:app/builds/:id/cancel', access: 'session', handle: builds.cancel },

  { method: 'GET', path: '/apps/:app/logs', access: 'session', handle: logs.show },
  { method: 'GET', path: '/apps/:app/logs/stream', access: 'session', handle: logs.stream },
  { method: 'GET', path: '/apps/:app/logs/download', access: 'session', handle: logs.download },

  { method: 'GET', path: '/apps/:app/config', access: 'session', handle: config.show },
  { method: 'POST', path: '/apps/:app/config', access: 'session', handle: config.set },
  { method: 'POST', path: '/apps/:app/config/unset', access: 'session', handle: config.unset },

  { method: 'GET', path: '/apps/:app/domains', access: 'session', handle: domains.show },
  { method: 'POST', path: '/apps/:app/domains', access: 'session', handle: domains.add },
  { method: 'POST', path: '/apps/:app/domains/remove', access: 'session', handle: domains.remove },

  { method: 'GET', path: '/apps/:app/routing', access: 'session', handle: routing.show },
  { method: 'POST', path: '/apps/:app/maintenance', access: 'session', handle: routing.maintain },
  { method: 'POST', path: '/apps/:app/sticky', access: 'session', handle: routing.stick },

  { method: 'GET', path: '/apps/:app/checks', access: 'session', handle: checks.show },
  { method: 'POST', path: '/apps/:app/checks/run', access: 'session', handle: checks.run },

  { method: 'GET', path: '/apps/:app/cron', access: 'session', handle: cron.show },
  { method: 'POST', path: '/apps/:app/cron', access: 'session', handle: cron.add },
  { method: 'POST', path: '/apps/:app/cron/run', access: 'session', handle: cron.run },
  { method: 'POST', path: '/apps/:app/cron/suspend', access: 'session', handle: cron.suspend },
  { method: 'POST', path: '/apps/:app/cron/remove', access: 'session', handle: cron.remove },

  { method: 'GET', path: '/apps/:app/webhooks', access: 'session', handle: webhooks.show },
  { method: 'POST', path: '/apps/:app/webhooks', access: 'session', handle: webhooks.add },
  { method: 'POST', path: '/apps/:app/webhooks/remove', access: 'session', handle: webhooks.remove },
  { method: 'POST', path: '/apps/:app/webhooks/redeliver', access: 'session', handle: webhooks.redeliver },

  { method: 'GET', path: '/apps/:app/settings', access: 'session', handle: settings.show },
  { method: 'POST', path: '/apps/:app/destroy', access: 'session', handle: settings.destroy },
];
