import { tryChange } from '../change.ts';
import type { Exchange } from '../exchange.ts';
import { streamLive } from '../live.ts';

export async function show(exchange: Exchange): Promise<void> {
  await showWith(exchange, {});
}

export async function stream(exchange: Exchange): Promise<void> {
  await streamLive(exchange, { template: 'apps/live', data: () => live(exchange) });
}

export async function create(exchange: Exchange): Promise<void> {
  const name = exchange.field('name');
  await tryChange(
    async () => {
      exchange.platform.apps.create(name, exchange.user);
      exchange.tell('done', `Created ${name}.`);
      exchange.see(`/apps/${encodeURIComponent(name)}`);
    },
    (problem) => showWith(exchange, { name, problem: problem.message }, problem.status),
  );
}

async function showWith(
  exchange: Exchange,
  form: { name?: string; problem?: string },
  status = 200,
): Promise<void> {
  await exchange.page(
    'apps/list',
    { ...live(exchange), name: form.name ?? '', problem: form.problem ?? '' },
    status,
  );
}

/** What needs attention comes first. */
function live(exchange: Exchange) {
  const urgency = (state: string) => (state === 'crashed' ? 0 : state === 'starting' ? 1 : 2);
  const apps = exchange.platform.apps
    .list()
    .toSorted((a, b) => urgency(a.state) - urgency(b.state) || a.name.localeCompare(b.name));
  return { apps };
}
