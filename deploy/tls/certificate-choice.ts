import type { Certificate, CertificatePair } from '../model/router.ts';
import type { CertificateFacts } from '../platform/certificates.ts';
import type { HostOwners } from './host-owners.ts';

/** A certificate that could be shown. */
export interface Candidate {
  kind: 'own' | 'platform' | 'automatic';
  /** Of an own one: its number, and whose it is. */
  id: number | undefined;
  app: string | undefined;
  pair: CertificatePair;
  facts: CertificateFacts;
}

/** When another certificate may be the one to be shown, if nothing else happens; undefined: never. */
export function nextChange(candidates: Candidate[], now: Date): Date | undefined {
  const times = candidates.flatMap(({ facts }) => [facts.notBefore.getTime(), facts.notAfter.getTime()]);
  const next = times.reduce(
    (least, time) => (time > now.getTime() ? Math.min(least, time) : least),
    Infinity,
  );
  return next === Infinity ? undefined : new Date(next);
}

/**
 * Which certificate is shown for which host: one that is valid before one that is not, the app's own before the platform's before an automatic one, a
 * newer before an older. An app's own certificate is shown for its own hosts alone, whatever other names stand in it.
 */
export function chooseCertificates(
  candidates: Candidate[],
  owners: HostOwners,
  now: Date,
): Map<string, Candidate> {
  const byName = new Map<string, Candidate[]>();
  for (const candidate of [...candidates].sort((one, other) => byPreference(one, other, now))) {
    for (const name of candidate.facts.hosts) byName.set(name, [...(byName.get(name) ?? []), candidate]);
  }
  const chosen = new Map<string, Candidate>();
  for (const host of new Set([...owners.hosts(), ...byName.keys()])) {
    const apps = owners.appsOf(host);
    const fitting = [...(byName.get(host) ?? []), ...(byName.get(wildcardOf(host)) ?? [])]
      .filter((candidate) => mayShow(candidate, { host, apps, owners }))
      .sort((one, other) => byPreference(one, other, now));
    if (fitting[0]) chosen.set(host, fitting[0]);
  }
  return chosen;
}

/** As the router takes them: each certificate once. */
export function certificatesOf(chosen: Map<string, Candidate>): Certificate[] {
  const hosts = Map.groupBy(chosen, ([, candidate]) => candidate);
  return [...hosts].map(([{ pair }, entries]) => ({ hosts: entries.map(([host]) => host), ...pair }));
}

function byPreference(one: Candidate, other: Candidate, now: Date): number {
  const worse = Number(!isValid(one, now)) - Number(!isValid(other, now));
  if (worse !== 0) return worse;
  const kind = KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind);
  return kind !== 0 ? kind : (other.id ?? 0) - (one.id ?? 0);
}

function isValid({ facts }: Candidate, now: Date): boolean {
  return facts.notBefore <= now && facts.notAfter > now;
}

const KINDS = ['own', 'platform', 'automatic'];

function mayShow(
  { kind, app }: Candidate,
  { host, apps, owners }: { host: string; apps: string[]; owners: HostOwners },
): boolean {
  if (kind === 'own') return apps.includes(app!);
  if (kind === 'platform') return owners.isPlatforms(host);
  return apps.length > 0 || host === owners.dashboard;
}

function wildcardOf(host: string): string {
  const dot = host.indexOf('.');
  return host.startsWith('*') || dot < 0 ? '' : `*${host.slice(dot)}`;
}
