import type { X509Certificate } from 'node:crypto';
import type { CertificateFacts } from '../platform/certificates.ts';
import { namesOf } from './certificate-names.ts';

/** What a certificate says of itself. */
export function factsOf(certificate: X509Certificate): CertificateFacts {
  return {
    hosts: namesOf(certificate),
    issuer: nameOf(certificate.issuer),
    serialNumber: certificate.serialNumber,
    fingerprint: certificate.fingerprint256,
    notBefore: certificate.validFromDate,
    notAfter: certificate.validToDate,
  };
}

/** `R11 (Let's Encrypt)` of `C=US\nO=Let's Encrypt\nCN=R11` */
function nameOf(distinguished: string | undefined): string {
  const parts = new Map<string, string>();
  for (const line of (distinguished ?? '').split('\n')) {
    const [key, ...value] = line.split('=');
    if (key && !parts.has(key)) parts.set(key, value.join('=').slice(0, 100));
  }
  const [name, organization] = [parts.get('CN'), parts.get('O')];
  if (name && organization) return `${name} (${organization})`;
  return name ?? organization ?? 'unnamed';
}
