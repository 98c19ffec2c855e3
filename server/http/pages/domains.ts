import { placeText, unicodeOf } from '../../../deploy/model/place.ts';
import type { HostCertificate } from '../../../deploy/platform/certificates.ts';
import { changeApp } from '../change.ts';
import type { Exchange } from '../exchange.ts';

export async function show(exchange: Exchange): Promise<void> {
  await showWith(exchange, { hostname: '', problem: '' });
}

export async function add(exchange: Exchange): Promise<void> {
  const hostname = exchange.field('hostname');
  await change(exchange, hostname, async (app) => {
    await exchange.platform.domains.add(app, hostname, { user: exchange.user });
    return `Added ${hostname}. Point its DNS record at this machine.`;
  });
}

export async function remove(exchange: Exchange): Promise<void> {
  const hostname = exchange.field('hostname');
  await change(exchange, '', async (app) => {
    await exchange.platform.domains.remove(app, hostname, exchange.user);
    return `Removed ${hostname}.`;
  });
}

/** `typed`: what stands in the form again if it cannot be. */
async function change(
  exchange: Exchange,
  typed: string,
  work: (app: string) => Promise<string>,
): Promise<void> {
  await changeApp(exchange, {
    tab: 'domains',
    work,
    showAgain: (problem) => showWith(exchange, { hostname: typed, problem: problem.message }, problem.status),
  });
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
