import { PaasError } from '../../../deploy/model/paas-error.ts';
import type { ProcessTypeView, ScaleChange, TrafficPeriod } from '../../../deploy/platform.ts';
import { carryOut, tryChange } from '../change.ts';
import type { Exchange } from '../exchange.ts';
import { streamLive } from '../live.ts';

export async function show(exchange: Exchange): Promise<void> {
  await showWith(exchange, '');
}

export async function stream(exchange: Exchange): Promise<void> {
  await streamLive(exchange, { template: 'app/live', data: () => live(exchange) });
}

/** Sets the types whose number differs from what runs; others may have changed meanwhile and are left alone. */
export async function scale(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app')).name;
  await tryChange(
    async () => {
      const changes = scaleChanges(exchange.form, exchange.platform.dynos.formation(app));
      if (changes.length > 0) {
        const asked = changes.map(({ type, quantity }) => `${type} to ${quantity}`).join(', ');
        await carryOut(exchange, {
          work: exchange.platform.dynos.scale(app, changes, exchange.user).then(describeFormation),
          meanwhile: `Scaling ${asked}…`,
        });
      }
      exchange.see(pathOf(app));
    },
    (problem) => showWith(exchange, problem.message, problem.status),
  );
}

export async function restart(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app')).name;
  const target = exchange.field('target') || undefined;
  const what = target ?? 'all dynos';
  await tryChange(
    async () => {
      const work = exchange.platform.dynos
        .restart(app, target, exchange.user)
        .then(() => `Restarted ${what}.`);
      await carryOut(exchange, { work, meanwhile: `Restarting ${what}, one after the other…` });
      exchange.see(pathOf(app));
    },
    (problem) => showWith(exchange, problem.message, problem.status),
  );
}

function pathOf(app: string): string {
  return `/apps/${encodeURIComponent(app)}`;
}

async function showWith(exchange: Exchange, problem: string, status = 200): Promise<void> {
  await exchange.page('app/overview', { ...live(exchange), problem, tab: 'overview' }, status);
}

function live(exchange: Exchange) {
  const { apps, dynos, releases, builds, metrics } = exchange.platform;
  const app = apps.find(exchange.param('app'));
  const running = dynos.list(app.name);
  return {
    app,
    types: dynos.formation(app.name).map((type) => ({
      ...type,
      // A canary is none of the formation's.
      up: running.filter((dyno) => dyno.name.startsWith(`${type.type}.`) && dyno.state === 'up').length,
      dynos: running.filter((dyno) => dyno.type === type.type),
    })),
    release: releases.list(app.name).find((release) => release.current) ?? null,
    build: builds.list(app.name)[0] ?? null,
    traffic: metrics.periods(app.name).map(trafficRow),
  };
}

/** In words; '': nothing to say. */
function trafficRow({ name, seconds, requests, serverErrors, p50, p95, p99 }: TrafficPeriod) {
  const inMs = (time: number | undefined) => (time === undefined ? '' : `${Number(time.toPrecision(2))} ms`);
  return {
    name,
    requests,
    rate: (requests / seconds).toFixed(2),
    failed: requests === 0 ? '' : `${((100 * serverErrors) / requests).toFixed(1)}%`,
    p50: inMs(p50),
    p95: inMs(p95),
    p99: inMs(p99),
  };
}

/** Reads fields like `quantity.web=3`. Throws `invalid` for what is no number. */
function scaleChanges(form: URLSearchParams, formation: ProcessTypeView[]): ScaleChange[] {
  return formation.flatMap(({ type, quantity: before }) => {
    const given = form.get(`quantity.${type}`)?.trim();
    if (given === undefined) return [];
    if (!/^\d{1,6}$/.test(given)) {
      throw new PaasError(
        'invalid',
        `Cannot scale ${type} to "${given.slice(0, 20)}": give a whole number, 0 or more.`,
      );
    }
    const quantity = Number(given);
    return quantity === before ? [] : [{ type, operator: '=' as const, quantity }];
  });
}

function describeFormation(formation: ProcessTypeView[]): string {
  return `Now running ${formation.map(({ type, quantity }) => `${type} at ${quantity}`).join(', ')}.`;
}
