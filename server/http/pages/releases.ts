import { PaasError } from '../../../deploy/model/paas-error.ts';
import { carryOut, tryChange } from '../change.ts';
import type { Exchange } from '../exchange.ts';

export async function show(exchange: Exchange): Promise<void> {
  await showWith(exchange, '');
}

export async function rollback(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app')).name;
  await tryChange(
    async () => {
      const version = parseVersion(exchange.field('version'));
      const work = exchange.platform.releases
        .rollback(app, version, exchange.user)
        .then((release) => `Rolled back to v${version}; that is now v${release.version}.`);
      await carryOut(exchange, { work, meanwhile: `Rolling back to v${version}: starting its dynos…` });
      exchange.see(`/apps/${encodeURIComponent(app)}/releases`);
    },
    (problem) => showWith(exchange, problem.message, problem.status),
  );
}

/** The releases, and how a canary goes. */
export async function showWith(exchange: Exchange, problem: string, status = 200): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app'));
  // One that was promoted from another app was built there.
  const builds = new Set(exchange.platform.builds.list(app.name).map(({ id }) => id));
  const releases = exchange.platform.releases
    .list(app.name)
    .map((release) => ({ ...release, isBuiltHere: builds.has(release.buildId ?? 0) }));
  const { share = 0, release = 0, ...counts } = exchange.platform.canaries.find(app.name);
  const canary = { share, release, ...counts };
  await exchange.page('releases/list', { app, releases, canary, problem, tab: 'releases' }, status);
}

function parseVersion(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new PaasError('invalid', 'Choose a release to roll back to.');
  return Number(text);
}
