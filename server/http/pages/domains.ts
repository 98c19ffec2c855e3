import { placeText, unicodeOf } from '../../../deploy/model/place.ts';
import type { HostCertificate } from '../../../deploy/platform.ts';
import { tryChange } from '../change.ts';
import type { Exchange } from '../exchange.ts';

export async function show(exchange: Exchange): Promise<void> {
  await showWith(exchange, { hostname: '', problem: '' });
}

export async function add(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app')).name;
  const hostname = exchange.field('hostname');
  await tryChange(
    async () => {
      await exchange.platform.domains.add(app, hostname, { user: exchange.user });
      exchange.tell('done', `Added ${hostname}. Point its DNS record at this machine.`);
      exchange.see(pathOf(app));
    },
    (problem) => showWith(exchange, { hostname, problem: problem.message }, problem.status),
  );
}

export async function remove(exchange: Exchange): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app')).name;
  const hostname = exchange.field('hostname');
  await tryChange(
    async () => {
      await exchange.platform.domains.remove(app, hostname, exchange.user);
      exchange.tell('done', `Removed ${hostname}.`);
      exchange.see(pathOf(app));
    },
    (problem) => showWith(exchange, { hostname: '', problem: problem.message }, problem.status),
  );
}

async function showWith(
  exchange: Exchange,
  form: { hostname: string; problem: string },
  status = 200,
): Promise<void> {
  const app = exchange.platform.apps.find(exchange.param('app'));
  const domains = exchange.platform.domains.list(app.name);
  const origin = exchange.door.host.replace(/^[^:]*/, '');
  const certificates = exchange.platform.certificates.list(app.name);
  const linked = domains.map((entry) => ({
    name: placeText(entry),
    certificate: certificateText(certificates.find(({ hostname }) => hostname === entry.hostname)),
    unicode: unicodeOf(entry.hostname),
    builtIn: entry.builtIn,
    // A wildcard leads nowhere by itself.
    url: entry.hostname.startsWith('*')
      ? undefined
      : `${exchange.door.protocol}://${entry.hostname}${origin}${entry.path || '/'}`,
  }));
  await exchange.page('domains/list', { app, domains: linked, form, tab: 'domains' }, status);
}

/** What the page says of a domain's certificate. */
function certificateText(entry: HostCertificate | undefined): { text: string; note: string | undefined } {
  const { kind = 'none', certificate, problem, nextOrder } = entry ?? {};
  if (!certificate) return { text: nextOrder && !problem ? 'being ordered' : 'none', note: problem };
  const until = certificate.notAfter.toISOString().slice(0, 10);
  return { text: `${kind === 'platform' ? "the platform's" : kind}, until ${until}`, note: problem };
}

function pathOf(app: string): string {
  return `/apps/${encodeURIComponent(app)}/domains`;
}
