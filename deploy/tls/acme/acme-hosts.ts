import { X509Certificate } from 'node:crypto';
import type { CertificateFacts } from '../../platform/certificates.ts';
import type { AcmeHostRecord, AcmeStore } from '../../store/acme-store.ts';
import type { Candidate } from '../certificate-choice.ts';
import { factsOf } from '../certificate-facts.ts';
import { recentOrders } from './order-schedule.ts';

/** What the store knows of hosts, in memory too: it is asked at every change of a route. */
export class AcmeHosts {
  #store: AcmeStore;
  #records: Map<string, AcmeHostRecord>;
  #candidates = new Map<string, Candidate>();

  constructor(store: AcmeStore) {
    this.#store = store;
    this.#records = new Map(store.hosts().map((record) => [record.hostname, record]));
    for (const record of this.#records.values()) this.#read(record);
  }

  find(hostname: string): AcmeHostRecord | undefined {
    return this.#records.get(hostname);
  }

  facts(hostname: string): CertificateFacts | undefined {
    return this.#candidates.get(hostname)?.facts;
  }

  candidates(): Candidate[] {
    return [...this.#candidates.values()];
  }

  save(record: AcmeHostRecord): void {
    this.#store.save(record);
    const before = this.#records.get(record.hostname);
    this.#records.set(record.hostname, record);
    if (before?.certificate?.chain !== record.certificate?.chain) this.#read(record);
  }

  /** Forgets hosts that nobody has, when there is nothing left to remember: an order counts for a week, and a certificate may be of use again. */
  prune(wanted: Set<string>, now: Date): void {
    for (const { hostname, orderedAt } of [...this.#records.values()]) {
      const facts = this.facts(hostname);
      if (wanted.has(hostname) || (facts && facts.notAfter > now)) continue;
      if (recentOrders(orderedAt, now).length > 0) continue;
      this.#store.remove(hostname);
      this.#records.delete(hostname);
      this.#candidates.delete(hostname);
    }
  }

  #read({ hostname, certificate }: AcmeHostRecord): void {
    this.#candidates.delete(hostname);
    if (!certificate) return;
    const facts = factsOf(new X509Certificate(certificate.chain));
    // Only for the host itself, whatever else stands in it.
    this.#candidates.set(hostname, {
      kind: 'automatic',
      id: undefined,
      app: undefined,
      pair: certificate,
      facts: { ...facts, hosts: [hostname] },
    });
  }
}
