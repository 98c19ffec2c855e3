import type { AutomaticCertificates } from './certificates.ts';

/** Where the operator has named no certificate authority. */
export const noAutomaticCertificates: AutomaticCertificates = {
  candidates: () => [],
  challenges: () => [],
  outlook: () => ({ problem: undefined, nextOrder: undefined }),
};
