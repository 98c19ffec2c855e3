import { PaasError } from '../model/paas-error.ts';
import type { AutomaticCertificates } from './certificates.ts';

const WHY =
  'The platform asks no certificate authority: its operator has not set PAAS_ACME_EMAIL. `certs:add` takes a certificate of your own.';

/** Where the operator has named no certificate authority. */
export const noAutomaticCertificates: AutomaticCertificates = {
  whyNone: WHY,
  candidates: () => [],
  challenges: () => [],
  outlook: () => ({ problem: undefined, nextOrder: undefined }),
  tellExpiry: () => {},
  async renew() {
    throw new PaasError('unavailable', WHY);
  },
};
