import type { CertificateFacts } from '../platform/certificates.ts';
import type { Candidate } from './certificate-choice.ts';

const FORTNIGHT_MS = 14 * 86_400_000;

/** soon: who brought it should bring a new one. */
export type Expiry = 'soon' | 'expired';

/** Of a certificate that nobody renews but who brought it: soon are two weeks, or the last third of a short life. Undefined: it has time. */
export function expiryOf({ notBefore, notAfter }: CertificateFacts, now: Date): Expiry | undefined {
  const left = notAfter.getTime() - now.getTime();
  if (left <= 0) return 'expired';
  const life = notAfter.getTime() - notBefore.getTime();
  return left <= Math.min(FORTNIGHT_MS, life / 3) ? 'soon' : undefined;
}

/** What is wrong with it, and what to do; undefined: nothing. */
export function expiryProblem({ kind, facts }: Candidate, now: Date): string | undefined {
  const expiry = expiryOf(facts, now);
  if (kind === 'automatic') return expiry === 'expired' ? expiry : undefined;
  return expiry && `${expiry === 'soon' ? 'expires soon' : 'expired'}: ${adviceOf(kind)}`;
}

/** For the app's log and the events. */
export function expiryText({ kind, facts }: Candidate, expiry: Expiry, advice = adviceOf(kind)): string {
  const day = facts.notAfter.toISOString().slice(0, 10);
  const what = expiry === 'soon' ? `expires on ${day}` : `expired on ${day}, and visitors are warned of it`;
  return `Certificate for ${facts.hosts.join(', ')} ${what}: ${advice}`;
}

function adviceOf(kind: Candidate['kind']): string {
  return `${kind === 'platform' ? 'global-cert:add' : 'certs:add'} brings a new one`;
}
