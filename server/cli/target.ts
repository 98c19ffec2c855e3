import { PaasError } from '../../deploy/model/paas-error.ts';
import { type Host, parseHost, type Remote } from './git-remote.ts';

export interface Target {
  host: Host;
  /** Where no app is named outright; undefined: none is known. */
  app: string | undefined;
  /** For stderr: where the app came from, if that is not plain to see. */
  note: string | undefined;
}

export interface Surroundings {
  env: Record<string, string | undefined>;
  remotes: Remote[];
  /** --remote NAME */
  remoteName: string | undefined;
  /** An app is named with -a: then remotes matter for the host alone. */
  appNamed: boolean;
}

/**
 * Which server and app a command is for. Host: PAAS_HOST, else the git remote's. App: PAAS_APP, else the git remote's. The remote
 * is `--remote NAME`, else the one called `paas`, else the only one that leads to an app of user paas.
 * Throws `invalid` where nothing says it, or too much does.
 */
export function resolveTarget(around: Surroundings): Target {
  const { env } = around;
  const fixed = env.PAAS_HOST ? parseFixedHost(env.PAAS_HOST) : undefined;
  const remote = chooseRemote(around, fixed);
  const host = fixed ?? remote;
  if (!host) throw new PaasError('invalid', NO_SERVER);
  const app = env.PAAS_APP || remote?.app;
  return { host, app, note: around.appNamed ? undefined : noteOf(env.PAAS_APP, { remote, around }) };
}

const NO_SERVER = [
  'No server is known.',
  'Run this in a repository with a git remote for it (git remote add paas ssh://paas@HOST:2222/APP),',
  'or set PAAS_HOST, e.g. PAAS_HOST=example.com:2222.',
].join('\n');

function chooseRemote(
  { remotes, remoteName, env }: Surroundings,
  fixed: Host | undefined,
): Remote | undefined {
  if (remoteName !== undefined) {
    const named = remotes.find((remote) => remote.name === remoteName);
    if (named) return named;
    throw new PaasError('invalid', `No git remote ${JSON.stringify(remoteName)} leads to an app.`);
  }
  const there = fixed ? remotes.filter((remote) => isSameHost(remote, fixed)) : remotes;
  const usual = there.find((remote) => remote.name === 'paas');
  if (usual) return usual;
  const likely = there.filter((remote) => remote.user === 'paas');
  if (likely.length > 1 && !(fixed && env.PAAS_APP)) throw tooMany(likely);
  return likely[0];
}

function tooMany(remotes: Remote[]): PaasError {
  const names = remotes.map(({ name, app }) => `${name} (${app})`).join(', ');
  return new PaasError(
    'invalid',
    `Several git remotes lead to apps: ${names}.\nChoose with --remote NAME or -a APP.`,
  );
}

function noteOf(
  named: string | undefined,
  { remote, around }: { remote: Remote | undefined; around: Surroundings },
): string | undefined {
  if (named) return remote && remote.app !== named ? `App ${named}, from PAAS_APP.` : undefined;
  if (!remote || around.remoteName !== undefined) return undefined;
  const usual = remote.name === 'paas' && around.remotes.filter(({ user }) => user === 'paas').length === 1;
  return usual ? undefined : `App ${remote.app}, from the git remote ${remote.name}.`;
}

function parseFixedHost(text: string): Host {
  const host = parseHost(text);
  if (host) return host;
  throw new PaasError(
    'invalid',
    `PAAS_HOST should look like example.com or paas@example.com:2222, not ${JSON.stringify(text)}.`,
  );
}

function isSameHost(a: Host, b: Host): boolean {
  return a.host === b.host && (a.port ?? 22) === (b.port ?? 22);
}
