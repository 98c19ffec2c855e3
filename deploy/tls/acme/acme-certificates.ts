import { createPrivateKey } from 'node:crypto';
import { minuteText } from '../../model/minute-text.ts';
import { PaasError } from '../../model/paas-error.ts';
import type { CertificatePair, Challenge } from '../../model/router.ts';
import type { AcmeHostRecord, AcmeStore } from '../../store/acme-store.ts';
import type { Candidate } from '../certificate-choice.ts';
import { keyText, newKey } from '../certificate-request.ts';
import type { AutomaticCertificates } from '../certificates.ts';
import { AcmeClient } from './acme-client.ts';
import { AcmeError } from './acme-error.ts';
import { AcmeHosts } from './acme-hosts.ts';
import { createTransport } from './acme-transport.ts';
import { type ChallengeType, obtainCertificate } from './obtain.ts';
import { allowedFrom, recentOrders, renewalOf, retryOf } from './order-schedule.ts';

const AT_ONCE = 4;
const SWEEP_MS = 60_000;
const SOON_MS = 500;
const ORDER_LIMIT_MS = 180_000;
const DAY_MS = 86_400_000;

export interface AcmeCertificatesOptions {
  store: AcmeStore;
  directory: string;
  email: string;
  /** The hosts that are to have a certificate, none that has another one. */
  wanted: () => string[];
  /** Why a host gets none; undefined: it does. In words. */
  whyNot: (hostname: string) => string | undefined;
  /** Whether DNS knows a host. */
  resolves: (hostname: string) => Promise<boolean>;
  /** Brings what changed to the router. Resolves when it is in effect. */
  publish: (changed: 'challenges' | 'certificates') => Promise<void>;
  /** What happened to a host's certificate, as a sentence. */
  note: (hostname: string, text: string) => void;
  /** Those that may be tried, in turn when one fails. */
  challenges: [ChallengeType, ...ChallengeType[]];
  now?: () => Date;
}

/**
 * Certificates that come and are renewed by themselves (ACME). What is ordered follows from the hosts that apps have, never from what visitors ask for.
 * Every step is in the store before the next one: a restart goes on with an order that was begun, and keeps to the times of the next try.
 */
export class AcmeCertificates implements AutomaticCertificates {
  #options: AcmeCertificatesOptions;
  #hosts: AcmeHosts;
  #challenges = new Map<string, Challenge>();
  #running = new Map<string, Promise<void>>();
  #abort = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  /** Nothing is ordered before: the authority is away, or has had enough of us. */
  #pausedUntil = 0;

  constructor(options: AcmeCertificatesOptions) {
    this.#options = options;
    this.#hosts = new AcmeHosts(options.store);
  }

  candidates(): Candidate[] {
    return this.#hosts.candidates();
  }

  challenges(): Challenge[] {
    return [...this.#challenges.values()];
  }

  outlook(hostname: string): { problem: string | undefined; nextOrder: Date | undefined } {
    const problem = this.#options.whyNot(hostname);
    if (problem !== undefined) return { problem, nextOrder: undefined };
    const record = this.#hosts.find(hostname);
    return { problem: record?.problem, nextOrder: record?.nextAt ?? this.#now() };
  }

  tellExpiry({ facts }: Candidate, tell: () => void): void {
    this.#options.store.tellExpiry(facts.hosts[0]!, facts.notAfter, tell);
  }

  /** From now on what is due is ordered. */
  start(): void {
    this.#timer = setInterval(() => this.sweep(), SWEEP_MS).unref();
    this.soon();
  }

  /** Hosts have come or gone. */
  soon(): void {
    if (!this.#timer || this.#soon) return;
    this.#soon = setTimeout(() => {
      this.#soon = undefined;
      this.sweep();
    }, SOON_MS).unref();
  }

  /** Ends orders that are under way, to be gone on with by the next start. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#timer = undefined;
    this.#abort.abort();
    await this.settled();
  }

  /** Resolves when no order is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** Begins what is due, as much as may be under way at once. */
  sweep(): void {
    const now = this.#now();
    const wanted = this.#options.wanted();
    this.#hosts.prune(new Set(wanted), now);
    if (now.getTime() < this.#pausedUntil) return;
    for (const hostname of wanted) {
      if (this.#running.size >= AT_ONCE) return;
      if (!this.#running.has(hostname) && this.#isDue(hostname, now)) this.#begin(hostname);
    }
  }

  /**
   * Orders one now, whatever the schedule says. Resolves when it is there. Throws `conflict` where it would be one too many, or too early without `force`,
   * `unavailable` with what the authority said.
   */
  async renew(hostname: string, { force }: { force: boolean }): Promise<void> {
    const whyNot = this.#options.whyNot(hostname);
    if (whyNot !== undefined)
      throw new PaasError('conflict', `${hostname} cannot have one by itself: ${whyNot}.`);
    this.#refuseTooMany(hostname, force);
    await (this.#running.get(hostname) ?? this.#begin(hostname));
    const problem = this.#hosts.find(hostname)?.problem;
    if (problem !== undefined)
      throw new PaasError('unavailable', `No certificate for ${hostname}: ${problem}`);
  }

  #refuseTooMany(hostname: string, force: boolean): void {
    const record = this.#hosts.find(hostname);
    if (!record) return;
    const now = this.#now();
    const facts = this.#hosts.facts(hostname);
    if (facts && !force && record.nextAt > now && record.failures === 0) {
      const until = facts.notAfter.toISOString().slice(0, 10);
      throw new PaasError(
        'conflict',
        `${hostname} has one until ${until}, which is renewed in time. --force orders another one.`,
      );
    }
    const fresh = facts && now.getTime() - facts.notBefore.getTime() < DAY_MS;
    const from = record.order
      ? undefined
      : fresh
        ? new Date(facts.notBefore.getTime() + DAY_MS)
        : allowedFrom(record.orderedAt, now);
    if (from) {
      throw new PaasError(
        'conflict',
        `Certificate authorities limit orders for a name: ${hostname} can have the next one from ${minuteText(from)}.`,
      );
    }
  }

  #isDue(hostname: string, now: Date): boolean {
    const record = this.#hosts.find(hostname);
    if (!record) return true;
    if (record.nextAt > now && !isFromAnotherTime(record, now)) return false;
    const from = record.order ? undefined : allowedFrom(record.orderedAt, now);
    if (from) this.#hosts.save({ ...record, nextAt: from });
    return from === undefined;
  }

  #begin(hostname: string): Promise<void> {
    const run = this.#order(hostname).finally(() => {
      this.#running.delete(hostname);
      this.soon();
    });
    this.#running.set(hostname, run);
    return run;
  }

  /** Never rejects. */
  async #order(hostname: string): Promise<void> {
    const [first] = this.#options.challenges;
    const before = this.#hosts.find(hostname);
    const record: AcmeHostRecord = before
      ? {
          ...before,
          challenge: this.#options.challenges.includes(before.challenge) ? before.challenge : first,
        }
      : newRecord(hostname, { challenge: first, now: this.#now() });
    try {
      await this.#checkName(record);
      this.#succeed(record, await this.#obtain(record));
    } catch (error) {
      if (!this.#abort.signal.aborted) this.#failOrPause(record, error as Error);
      return;
    }
    // It is in the store: should the router refuse the table at this moment, the next one has it.
    await this.#options.publish('certificates').catch(() => {});
  }

  /** A name that leads nowhere would only be a failed order, of which there may be few. */
  async #checkName({ hostname, order }: AcmeHostRecord): Promise<void> {
    if (order || (await this.#options.resolves(hostname))) return;
    throw new AcmeError('dns', `DNS does not know ${hostname}`);
  }

  #obtain(record: AcmeHostRecord): Promise<CertificatePair> {
    const { hostname } = record;
    return obtainCertificate(hostname, {
      client: this.#client(),
      challenge: record.challenge,
      begun: record.order,
      onOrder: (order) => {
        record.order = order;
        record.orderedAt = [...recentOrders(record.orderedAt, this.#now()), this.#now()];
        this.#hosts.save({ ...record });
      },
      present: async (challenge) => {
        const takeBack = () => {
          this.#challenges.delete(hostname);
          this.#options.publish('challenges').catch(() => {});
        };
        this.#challenges.set(hostname, challenge);
        try {
          await this.#options.publish('challenges');
        } catch (error) {
          takeBack();
          throw error;
        }
        return takeBack;
      },
      timeLimit: ORDER_LIMIT_MS,
      signal: this.#abort.signal,
    });
  }

  #succeed(record: AcmeHostRecord, certificate: CertificatePair): void {
    const { hostname } = record;
    this.#hosts.save({ ...record, certificate, failures: 0, problem: undefined, order: undefined });
    const facts = this.#hosts.facts(hostname)!;
    this.#hosts.save({ ...this.#hosts.find(hostname)!, nextAt: renewalOf(hostname, facts) });
    const until = facts.notAfter.toISOString().slice(0, 10);
    this.#options.note(
      hostname,
      `Certificate for ${hostname} issued by ${facts.issuer}, valid until ${until}`,
    );
  }

  /** What cannot be noted, on a full disk say, would be ordered again at once, and again: an authority allows only so much. */
  #failOrPause(record: AcmeHostRecord, error: Error): void {
    try {
      this.#fail(record, error);
    } catch (cause) {
      this.#pausedUntil = this.#now().getTime() + 3_600_000;
      console.error(`No certificate for ${record.hostname}, and no note of it: ${(cause as Error).message}`);
    }
  }

  #fail(record: AcmeHostRecord, error: Error): void {
    const now = this.#now();
    const { hostname, order, challenge } = record;
    const { type, retryAfter } = error instanceof AcmeError ? error : new AcmeError('internal', '');
    const failures = record.failures + 1;
    const isPassing = PASSING.test(type);
    const nextAt = retryOf(hostname, { failures, ordered: order !== undefined, retryAfter, now });
    this.#hosts.save({
      ...record,
      failures,
      problem: error.message,
      nextAt,
      order: isPassing ? order : undefined,
      challenge: isPassing || type === 'dns' ? challenge : this.#other(challenge),
    });
    if (isPassing && type !== 'timeout' && type !== 'badNonce')
      this.#pausedUntil = Math.min(
        Math.max(now.getTime() + 60_000, retryAfter?.getTime() ?? 0),
        now.getTime() + 3_600_000,
      );
    // Said once: `certs` shows it as long as it is so.
    if (error.message === record.problem) return;
    this.#options.note(
      hostname,
      `No certificate for ${hostname}: ${error.message}. Tried again ${minuteText(nextAt)}`,
    );
  }

  #other(challenge: ChallengeType): ChallengeType {
    const { challenges } = this.#options;
    return challenges[(challenges.indexOf(challenge) + 1) % challenges.length]!;
  }

  #client(): AcmeClient {
    const { store, directory, email } = this.#options;
    const present = store.account(directory);
    const key = present?.key ?? keyText(newKey());
    if (!present) store.setAccount(directory, { key, url: undefined });
    return new AcmeClient({
      directory,
      email,
      accountKey: createPrivateKey(key),
      accountUrl: present?.url,
      onAccount: (url) => store.setAccount(directory, { key, url }),
      transport: createTransport(),
      signal: this.#abort.signal,
    });
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }
}

/** What says nothing of the host: an order that was begun is gone on with. */
const PASSING = /^(timeout|unreachable|rateLimited|serverInternal|badNonce|status (429|5\d\d))$/;

/** Nothing that failed waits so long: the clock was ahead when it was written, as it is at boot on machines without a battery. */
function isFromAnotherTime({ failures, nextAt }: AcmeHostRecord, now: Date): boolean {
  return failures > 0 && nextAt.getTime() - now.getTime() > 8 * DAY_MS;
}

function newRecord(
  hostname: string,
  { challenge, now }: { challenge: ChallengeType; now: Date },
): AcmeHostRecord {
  return {
    hostname,
    certificate: undefined,
    failures: 0,
    nextAt: now,
    problem: undefined,
    challenge,
    orderedAt: [],
    order: undefined,
  };
}
