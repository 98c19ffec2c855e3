import { PaasError } from '../../../deploy/model/paas-error.ts';
import type { ReleaseView } from '../../../deploy/platform.ts';
import { carryOut, tryChange } from '../change.ts';
import type { Exchange } from '../exchange.ts';

interface FormState {
  name: string;
  value: string;
  problem: string;
}

/** Values are left out unless asked for: `?reveal=NAME`, `?reveal=*`, or `?edit=NAME`, which fills the form. */
export async function show(exchange: Exchange): Promise<void> {
  const edited = exchange.query.get('edit') ?? '';
  const value = Object.entries(variables(exchange)).find(([name]) => name === edited)?.[1];
  await showWith(exchange, { name: value === undefined ? '' : edited, value: value ?? '', problem: '' });
}

export async function set(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app')).name;
  const name = exchange.field('name');
  const value = exchange.text('value');
  await tryChange(
    async () => {
      if (name === '') throw new PaasError('invalid', 'A config var needs a name.');
      await carryOut(exchange, {
        work: exchange.platform.config
          .set(app, { [name]: value }, exchange.user)
          .then(outcome(`Set ${name}`)),
        meanwhile: `Setting ${name} and restarting the app…`,
      });
      exchange.see(pathOf(app));
    },
    (problem) => showWith(exchange, { name, value, problem: problem.message }, problem.status),
  );
}

export async function unset(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app')).name;
  const name = exchange.field('name');
  await tryChange(
    async () => {
      await carryOut(exchange, {
        work: exchange.platform.config.unset(app, [name], exchange.user).then(outcome(`Unset ${name}`)),
        meanwhile: `Unsetting ${name} and restarting the app…`,
      });
      exchange.see(pathOf(app));
    },
    (problem) => showWith(exchange, { name: '', value: '', problem: problem.message }, problem.status),
  );
}

async function showWith(exchange: Exchange, form: FormState, status = 200): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app'));
  const revealed = exchange.query.get('reveal');
  const vars = Object.entries(variables(exchange))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => {
      const shown = revealed === '*' || revealed === name;
      return { name, shown, value: shown ? value : '', isLong: shown && value.includes('\n') };
    });
  await exchange.page('config/list', { app, vars, revealed: revealed !== null, form, tab: 'config' }, status);
}

function variables(exchange: Exchange): Record<string, string> {
  return exchange.platform.config.all(exchange.platform.apps.find(exchange.param('app')).name);
}

function outcome(what: string): (release: ReleaseView | undefined) => string {
  return (release) =>
    release ? `${what}, released v${release.version}.` : `${what}; it counts from the first push on.`;
}

function pathOf(app: string): string {
  return `/apps/${encodeURIComponent(app)}/config`;
}
