import type { HostCertificate } from '../../deploy/platform/certificates.ts';
import { fieldList, textTable } from './text-table.ts';

const KINDS: Record<HostCertificate['kind'], string> = {
  own: 'own',
  platform: "the platform's",
  automatic: 'automatic',
  none: 'none',
  unused: 'not in use',
};

/** One line a host. */
export function certificateTable(certificates: HostCertificate[]): string[] {
  return textTable(
    ['HOST', 'CERTIFICATE', 'ISSUER', 'EXPIRES', 'NOTE'],
    certificates.map((entry) => [
      entry.hostname,
      KINDS[entry.kind],
      entry.certificate?.issuer ?? '-',
      entry.certificate ? dayOf(entry.certificate.notAfter) : '-',
      noteText(entry),
    ]),
  );
}

/** All that is known of one. */
export function certificateFields(entry: HostCertificate): string[] {
  const { hostname, kind, certificate, problem, nextOrder } = entry;
  return fieldList({
    Host: hostname,
    Certificate: KINDS[kind],
    ...(certificate && {
      Names: certificate.hosts.join(', '),
      Issuer: certificate.issuer,
      'Valid from': secondOf(certificate.notBefore),
      'Valid until': secondOf(certificate.notAfter),
      'Serial number': certificate.serialNumber,
      'SHA-256': certificate.fingerprint,
    }),
    ...(problem !== undefined && { Problem: problem }),
    ...(nextOrder && { 'Next order': secondOf(nextOrder) }),
  });
}

/** `renews 2026-12-24`; `DNS does not know it; tried again 2026-11-28 18:20` */
function noteText({ kind, problem, nextOrder }: HostCertificate): string {
  if (problem === undefined) {
    if (!nextOrder) return '';
    return kind === 'automatic' ? `renewed from ${dayOf(nextOrder)}` : 'being ordered';
  }
  return nextOrder ? `${problem}; tried again ${secondOf(nextOrder)}` : problem;
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function secondOf(date: Date): string {
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} +0000`;
}
