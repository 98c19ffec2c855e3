import { setTimeout } from 'node:timers/promises';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { Exchange } from './exchange.ts';
import { publicError } from './http-error.ts';

/** How long a page waits for a change before it goes on without it. */
const PATIENCE = 2000;

/**
 * Waits for a change that may take as long as an app's boot. What is done in time is told on the next page; what is
 * not goes on, and its end is told whenever the session looks next. Failing in time throws.
 */
export async function carryOut(
  exchange: Exchange,
  { work, meanwhile }: { work: Promise<string>; meanwhile: string },
): Promise<void> {
  const late = Symbol('late');
  const first = await Promise.race([work, setTimeout(PATIENCE, late, { ref: false })]);
  if (first !== late) {
    exchange.tell('done', String(first));
    return;
  }
  exchange.tell('working', meanwhile);
  work.then(
    (text) => exchange.tellLate('done', text),
    (error: unknown) => {
      exchange.parts.log(`dashboard: a change went wrong after its page was gone (${meanwhile})`, error);
      exchange.tellLate('failed', publicError(error).message);
    },
  );
}

type ShowAgain = (problem: { status: number; message: string }) => Promise<void>;

/**
 * Makes a change; where the platform refuses it (`invalid`, `conflict`), `showAgain` shows the form with what was
 * typed and why it cannot be.
 */
export async function tryChange(change: () => Promise<void>, showAgain: ShowAgain): Promise<void> {
  try {
    await change();
  } catch (error) {
    if (!(error instanceof PaasError) || !['invalid', 'conflict'].includes(error.code)) throw error;
    await showAgain(publicError(error));
  }
}

/** A change of the app that the path names: what `work` returns is told on the app's page `tab`, which is shown next. */
export async function changeApp(
  exchange: Exchange,
  {
    tab,
    work,
    showAgain,
  }: { tab: string; work: (app: string) => string | Promise<string>; showAgain: ShowAgain },
): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app')).name;
  await tryChange(async () => {
    exchange.tell('done', await work(app));
    exchange.see(`/apps/${encodeURIComponent(app)}/${tab}`);
  }, showAgain);
}
