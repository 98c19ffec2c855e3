import { PaasError } from '../../../deploy/model/paas-error.ts';
import { tryChange } from '../change.ts';
import type { Exchange } from '../exchange.ts';

export async function show(exchange: Exchange): Promise<void> {
  await showWith(exchange, { name: '', publicKey: '', problem: '' });
}

export async function add(exchange: Exchange): Promise<void> {
  const name = exchange.field('name');
  const publicKey = exchange.field('publicKey');
  await tryChange(
    async () => {
      const key = exchange.platform.keys.add(name, publicKey, exchange.user);
      exchange.tell('done', `Added a key of ${key.user}.`);
      exchange.see('/keys');
    },
    (problem) => showWith(exchange, { name, publicKey, problem: problem.message }, problem.status),
  );
}

/** Ends the sessions of the key's user too, maybe this one. */
export async function remove(exchange: Exchange): Promise<void> {
  const fingerprint = exchange.field('fingerprint');
  await tryChange(
    async () => {
      if (!fingerprint.startsWith('SHA256:')) throw new PaasError('invalid', 'Choose a key to remove.');
      exchange.platform.keys.remove(fingerprint, exchange.user);
      exchange.tell('done', `Removed the key ${fingerprint}.`);
      exchange.see('/keys');
    },
    (problem) => showWith(exchange, { name: '', publicKey: '', problem: problem.message }, problem.status),
  );
}

async function showWith(
  exchange: Exchange,
  form: { name: string; publicKey: string; problem: string },
  status = 200,
): Promise<void> {
  const keys = exchange.platform.keys.list().map((key) => ({ ...key, lastUsedAt: key.lastUsedAt ?? null }));
  await exchange.page('keys/list', { keys, form }, status);
}
