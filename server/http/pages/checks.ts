import { spanText } from '../../../deploy/model/span-text.ts';
import type { CheckResult } from '../../../deploy/platform/checks.ts';
import { tryChange } from '../change.ts';
import type { Exchange } from '../exchange.ts';

export async function show(exchange: Exchange): Promise<void> {
  await showWith(exchange, {});
}

/** Runs them once, and shows what came of it. */
export async function run(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app')).name;
  const gone = new AbortController();
  exchange.res.once('close', () => gone.abort());
  await tryChange(
    async () => showWith(exchange, { results: await exchange.platform.checks.run(app, gone.signal) }),
    (problem) => showWith(exchange, { problem: problem.message, status: problem.status }),
  );
}

async function showWith(
  exchange: Exchange,
  { problem = '', results, status = 200 }: { problem?: string; results?: CheckResult[]; status?: number },
): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app'));
  const { checks } = exchange.platform;
  const data = {
    checks: checks.list(app.name).map((check) => ({ ...check, status: check.status ?? '' })),
    bootTimeout: spanText(checks.bootTimeout(app.name)),
    results:
      results?.map(({ dyno, check, problem: why }) => ({ dyno, name: check.name, problem: why ?? '' })) ??
      null,
  };
  await exchange.page('checks/list', { app, ...data, problem, tab: 'checks' }, status);
}
