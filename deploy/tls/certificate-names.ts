import type { X509Certificate } from 'node:crypto';

/** The host names of a certificate (subjectAltName; a name in the subject alone counts for no browser), lower case; those that are none left out. */
export function namesOf(certificate: X509Certificate): string[] {
  // What is no plain name is quoted, and may hold what looks like an entry of its own (CVE-2021-44532).
  const entries = certificate.subjectAltName?.replaceAll(/"(?:[^"\\]|\\.)*"/g, '').split(', ') ?? [];
  const names = entries
    .filter((entry) => entry.startsWith('DNS:'))
    .map((entry) => entry.slice(4).toLowerCase());
  return [...new Set(names)].filter((name) => NAME.test(name));
}

/** Whether a certificate with these names is good for a host; a star stands for one label (RFC 6125, 6.4.3). `host` may have one itself. */
export function covers(names: string[], host: string): boolean {
  const dot = host.indexOf('.');
  const wildcard = dot > 0 ? `*${host.slice(dot)}` : host;
  return names.some((name) => name === host || name === wildcard);
}

const NAME = /^(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*$/;
