import { PaasError } from '../../../deploy/model/paas-error.ts';
import { carryOut, tryChange } from '../change.ts';
import type { Exchange } from '../exchange.ts';
import { showWith } from './releases.ts';

/** The share of the visitors that new releases begin with; nothing typed: all get them at once. */
export async function set(exchange: Exchange): Promise<void> {
  await change(exchange, (app) => {
    const share = parseShare(exchange.field('share'));
    return {
      work: exchange.platform.canaries
        .set(app, share, exchange.user)
        .then(() =>
          share === undefined
            ? 'New releases go to all visitors at once.'
            : `The next push begins with ${share}% of the visitors.`,
        ),
      meanwhile: 'Changing who gets new releases…',
    };
  });
}

export async function promote(exchange: Exchange): Promise<void> {
  await change(exchange, (app) => ({
    work: exchange.platform.canaries
      .promote(app, exchange.user)
      .then((version) => `All visitors get v${version} now.`),
    meanwhile: 'Promoting the canary: starting its dynos…',
  }));
}

export async function abort(exchange: Exchange): Promise<void> {
  await change(exchange, (app) => ({
    work: exchange.platform.canaries
      .abort(app, exchange.user)
      .then((version) => `v${version} is given up; nobody gets it any more.`),
    meanwhile: 'Giving the canary up…',
  }));
}

async function change(
  exchange: Exchange,
  begin: (app: string) => { work: Promise<string>; meanwhile: string },
): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app')).name;
  await tryChange(
    async () => {
      await carryOut(exchange, begin(app));
      exchange.see(`/apps/${encodeURIComponent(app)}/releases`);
    },
    (problem) => showWith(exchange, problem.message, problem.status),
  );
}

function parseShare(text: string): number | undefined {
  if (text === '') return undefined;
  if (!/^\d{1,2}$/.test(text))
    throw new PaasError('invalid', `"${text.slice(0, 20)}" is no share: give a number from 1 to 99.`);
  return Number(text);
}
