import { PaasError } from '../model/paas-error.ts';
import type { AutomaticCertificates } from './certificates.ts';

/** Where the operator has named no certificate authority. */
export const noAutomaticCertificates: AutomaticCertificates = {
  candidates: () => [],
  challenges: () => [],
  outlook: () => ({ problem: undefined, nextOrder: undefined }),
  async renew() {
    throw new PaasError(
      'unavailable',
      'The platform asks no certificate authority: its operator has not set PAAS_ACME_EMAIL. `certs:add` takes a certificate of your own.',
    );
  },
};
