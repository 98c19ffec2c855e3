import { PaasError } from '../../../deploy/model/paas-error.ts';
import { carryOut, tryChange } from '../change.ts';
import type { Exchange } from '../exchange.ts';

export async function show(exchange: Exchange): Promise<void> {
  await showWith(exchange, '');
}

/** Only for whoever typed the app's name. */
export async function destroy(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app')).name;
  await tryChange(
    async () => {
      if (exchange.field('confirm') !== app) {
        throw new PaasError('invalid', `Nothing was destroyed: type "${app}" to confirm.`);
      }
      const work = exchange.platform.apps.destroy(app, exchange.user).then(() => `Destroyed ${app}.`);
      await carryOut(exchange, { work, meanwhile: `Destroying ${app}: its dynos are stopping…` });
      exchange.see('/');
    },
    (problem) => showWith(exchange, problem.message, problem.status),
  );
}

async function showWith(exchange: Exchange, problem: string, status = 200): Promise<void> {
  const { apps, releases, config, domains } = exchange.platform;
  const app = apps.find(exchange.param('app'));
  const dies = {
    releases: releases.list(app.name).length,
    vars: Object.keys(config.all(app.name)).length,
    domains: domains.list(app.name).filter((domain) => !domain.builtIn).length,
  };
  await exchange.page('settings/settings', { app, dies, problem, tab: 'settings' }, status);
}
