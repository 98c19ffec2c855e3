import { X509Certificate } from 'node:crypto';
import type { CertificateStore } from '../store/certificate-store.ts';
import type { Candidate } from './certificate-choice.ts';
import { factsOf } from './certificate-facts.ts';

/** The certificates in the store, read once each. */
export class OwnCertificates {
  #store: CertificateStore;
  #candidates: Candidate[] | undefined;

  constructor(store: CertificateStore) {
    this.#store = store;
  }

  /** Oldest first. */
  list(): Candidate[] {
    this.#candidates ??= this.#store.all().map(({ id, app, chain, key }) => ({
      kind: app === undefined ? 'platform' : 'own',
      id,
      app,
      pair: { chain, key },
      facts: factsOf(new X509Certificate(chain)),
    }));
    return this.#candidates;
  }

  /** What is in the store may be other than before. */
  forget(): void {
    this.#candidates = undefined;
  }
}
