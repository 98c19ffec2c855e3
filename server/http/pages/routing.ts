import { mappingText } from '../../../deploy/model/port-mapping.ts';
import { rateText } from '../../../deploy/model/rate-text.ts';
import { spanText } from '../../../deploy/model/span-text.ts';
import { changeApp } from '../change.ts';
import type { Exchange } from '../exchange.ts';

export async function show(exchange: Exchange): Promise<void> {
  await showWith(exchange, '');
}

export async function maintain(exchange: Exchange): Promise<void> {
  const { maintenance } = exchange.platform;
  const on = exchange.field('on') === 'yes';
  await change(exchange, async (app) => {
    if (on) await maintenance.on(app, undefined, exchange.user);
    else await maintenance.off(app, exchange.user);
    return on ? 'Visitors see the maintenance page.' : 'Visitors are let in again.';
  });
}

export async function stick(exchange: Exchange): Promise<void> {
  const on = exchange.field('on') === 'yes';
  await change(exchange, async (app) => {
    await exchange.platform.visitors.setSticky(app, on, exchange.user);
    return on ? 'Each visitor stays with one dyno.' : 'Visitors get whichever dyno is least busy.';
  });
}

async function change(exchange: Exchange, work: (app: string) => Promise<string>): Promise<void> {
  await changeApp(exchange, {
    tab: 'routing',
    work,
    showAgain: (problem) => showWith(exchange, problem.message, problem.status),
  });
}

async function showWith(exchange: Exchange, problem: string, status = 200): Promise<void> {
  const { apps, ports, redirects, visitors, https, idle, maintenance } = exchange.platform;
  const app = apps.find(exchange.param('app'));
  const { allow = [], rate, users = [], sticky = false, errorPages = {} } = visitors.find(app.name);
  const { redirect, hsts } = https.find(app.name);
  const data = {
    maintained: maintenance.isOn(app.name),
    sticky,
    rules: [
      { name: 'Addresses that may come in', command: 'access', value: allow.join(', ') || 'all' },
      { name: 'Requests of each client', command: 'rate-limit', value: rate ? rateText(rate) : 'any number' },
      {
        name: 'Who may sign in (basic authentication)',
        command: 'http-auth',
        value: users.map(({ name }) => name).join(', ') || 'nobody is asked',
      },
      {
        name: 'Error pages of its own',
        command: 'error-pages',
        value: Object.keys(errorPages).join(', ') || 'none',
      },
      { name: 'HTTP leads to HTTPS', command: 'https', value: redirect ? 'yes' : 'no' },
      { name: 'HSTS', command: 'https', value: hsts === undefined ? 'off' : `${hsts} s` },
      { name: 'Idle without a request', command: 'ps:idle', value: idleText(idle.after(app.name)) },
    ],
    ports: ports
      .list(app.name)
      .map((port) => ({ mapping: mappingText(port), ...port, problem: port.problem ?? '' })),
    redirects: redirects.list(app.name),
  };
  await exchange.page('routing/routing', { app, ...data, problem, tab: 'routing' }, status);
}

function idleText(seconds: number | undefined): string {
  return seconds === undefined ? 'never' : `after ${spanText(seconds)}`;
}
