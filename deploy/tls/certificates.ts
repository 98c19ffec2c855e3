import type { Activity } from '../activity.ts';
import { quote } from '../model/app-name.ts';
import { minuteText } from '../model/minute-text.ts';
import { PaasError } from '../model/paas-error.ts';
import { parsePlace } from '../model/place.ts';
import type { Challenge, RouterTls } from '../model/router.ts';
import type { Certificates, HostCertificate } from '../platform/certificates.ts';
import type { CertificateStore } from '../store/certificate-store.ts';
import type { HttpsStore } from '../store/https-store.ts';
import { type Candidate, certificatesOf, chooseCertificates, nextChange } from './certificate-choice.ts';
import { covers } from './certificate-names.ts';
import { expiryOf, expiryProblem, expiryText } from './expiry.ts';
import { HostOwners, type HostOwnersOptions } from './host-owners.ts';
import { OwnCertificates } from './own-certificates.ts';
import { type Bundle, parseBundle } from './pem-bundle.ts';

/** Where certificates come from by themselves. */
export interface AutomaticCertificates {
  /** Why none is ordered at all, and what to do instead. */
  readonly whyNone?: string;
  candidates(): Candidate[];
  challenges(): Challenge[];
  /** Why a host has none, or none in place of the one that it has, and when that is tried again. */
  outlook(hostname: string): { problem: string | undefined; nextOrder: Date | undefined };
  /** Calls `tell` once for each certificate that it is asked about, in the step that records it. */
  tellExpiry(candidate: Candidate, tell: () => void): void;
  /** Orders one now. Resolves when it is there. Throws `conflict` where it would be one too many, `unavailable` where none came. */
  renew(hostname: string, options: { force: boolean }): Promise<void>;
}

export interface AppCertificatesOptions extends HostOwnersOptions {
  store: CertificateStore;
  https: HttpsStore;
  automatic: AutomaticCertificates;
  activity: Activity;
  publishRoutes: () => Promise<void>;
  log: (text: string) => void;
  now?: () => Date;
}

interface Shown {
  owners: HostOwners;
  chosen: Map<string, Candidate>;
  tls: RouterTls['certificates'];
  /** Until a certificate begins or ends to be valid. */
  until: Date | undefined;
}

/** Which certificate each host shows, and those that apps bring themselves. */
export class AppCertificates implements Certificates {
  #options: AppCertificatesOptions;
  #own: OwnCertificates;
  #shown: Shown | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AppCertificatesOptions) {
    this.#options = options;
    this.#own = new OwnCertificates(options.store);
  }

  list(app: string | undefined): HostCertificate[] {
    const { owners, chosen } = this.#show();
    const used = new Set(chosen.values());
    const unused = this.#of(app).filter((candidate) => !used.has(candidate));
    return [
      ...owners
        .hostsOf(app && this.#options.apps.find(app).name)
        .map((host) => this.#view(host, chosen.get(host))),
      ...unused.map(({ facts }) => ({
        hostname: facts.hosts[0]!,
        kind: 'unused' as const,
        certificate: facts,
        problem: 'shown for no host: another one is, or there is no such domain',
        nextOrder: undefined,
      })),
    ];
  }

  async add(app: string | undefined, pem: string, user: string): Promise<HostCertificate[]> {
    if (app !== undefined) this.#options.apps.find(app);
    const bundle = parseBundle(pem);
    const hosts = this.#coveredBy(app, bundle);
    const { store } = this.#options;
    const replaced = this.#of(app).filter(({ facts }) => isSame(facts.hosts, bundle.names));
    store.replace(
      replaced.map(({ id }) => id!),
      { app, chain: bundle.chain, key: bundle.key, user },
    );
    await this.#changed({
      app,
      user,
      action: 'certs:add',
      text: `Certificate for ${bundle.names.join(', ')} added`,
    });
    const { chosen } = this.#show();
    return hosts.map((host) => this.#view(host, chosen.get(host)));
  }

  async remove(app: string | undefined, hostname: string, user: string): Promise<void> {
    if (app !== undefined) this.#options.apps.find(app);
    const host = parsePlace(hostname).hostname;
    const shown = this.#show().chosen.get(host);
    const own = this.#of(app);
    const found =
      own.find((candidate) => candidate === shown) ?? own.findLast(({ facts }) => facts.hosts.includes(host));
    if (!found) {
      const whose = app ?? 'the platform';
      throw new PaasError('not_found', `${whose} has no certificate of its own for ${quote(hostname)}.`);
    }
    this.#options.store.remove(found.id!);
    const text = `Certificate for ${found.facts.hosts.join(', ')} removed`;
    await this.#changed({ app, user, action: 'certs:remove', text });
  }

  isAutomatic(app: string): boolean {
    return this.#options.https.find(this.#options.apps.find(app).name).automatic;
  }

  get whyNone(): string | undefined {
    return this.#options.automatic.whyNone;
  }

  async setAutomatic(app: string, on: boolean, user: string): Promise<void> {
    this.#options.https.set(this.#options.apps.find(app).name, { automatic: on });
    await this.#changed({
      app,
      user,
      action: 'certs:auto',
      text: `Automatic certificates ${on ? 'on' : 'off'}`,
    });
  }

  async renew(
    app: string | undefined,
    { hostname, force, user }: { hostname: string | undefined; force: boolean; user: string },
  ): Promise<HostCertificate[]> {
    if (this.whyNone !== undefined) throw new PaasError('unavailable', this.whyNone);
    const hosts = this.list(app).filter(({ kind }) => kind === 'none' || kind === 'automatic');
    const wanted = hostname === undefined ? undefined : parsePlace(hostname).hostname;
    const chosen = hosts.filter((host) =>
      wanted === undefined ? isOrdered(host) : host.hostname === wanted,
    );
    if (chosen.length === 0) throw nothingToRenew(app, wanted);
    const { activity, automatic } = this.#options;
    const names = chosen.map((host) => host.hostname);
    activity.record({
      app,
      user,
      action: 'certs:renew',
      text: `Certificate for ${names.join(', ')} asked for`,
    });
    for (const name of names) await automatic.renew(name, { force });
    return this.list(app).filter((host) => names.includes(host.hostname));
  }

  /** Those that show no own certificate, nor the platform's, that is valid until then. */
  hostsWithoutOwn(until: Date): string[] {
    const { owners, chosen } = this.#show();
    return owners.hosts().filter((host) => {
      const shown = chosen.get(host);
      return !shown || shown.kind === 'automatic' || shown.facts.notAfter <= until;
    });
  }

  /** Whether a host shows a certificate that has not expired. */
  isValid(hostname: string): boolean {
    const shown = this.#show().chosen.get(hostname);
    return shown !== undefined && shown.facts.notAfter > this.#now();
  }

  /** Who hears of what happens to a host's certificate; undefined: nobody's host, or the platform's. */
  appOf(hostname: string): string | undefined {
    return this.#show().owners.appsOf(hostname)[0];
  }

  /** Why none is ordered for a host by its app's wish; undefined: one is. */
  whyNotWanted(hostname: string): string | undefined {
    const { owners } = this.#show();
    const apps = owners.appsOf(hostname);
    if (owners.isPassedThrough(hostname)) return 'TLS goes through to the app, which shows one itself';
    if (apps.length === 0) return hostname === owners.dashboard ? undefined : 'no app has it';
    return apps.some((app) => this.#options.https.find(app).automatic)
      ? undefined
      : 'automatic certificates are off: certs:auto on';
  }

  /** From now on another certificate is shown as soon as one has expired. */
  start(): void {
    const { log } = this.#options;
    this.#timer = setInterval(() => {
      this.keepTime().catch((error) => log(`certificates: ${(error as Error).message}`));
    }, MINUTE_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Tells the router if time alone has changed what is shown, and once who should bring a new one. */
  async keepTime(): Promise<void> {
    const { until } = this.#show();
    const isOver = until !== undefined && until <= this.#now();
    if (isOver) this.refresh();
    this.#tellExpiry();
    if (isOver) await this.#options.publishRoutes();
  }

  /** For the router. */
  tls(): RouterTls {
    return { certificates: this.#show().tls, challenges: this.#options.automatic.challenges() };
  }

  /** Hosts, or what they could show, are other than before; the next tls() says so. */
  refresh(): void {
    this.#own.forget();
    this.#shown = undefined;
  }

  #show(): Shown {
    if (this.#shown) return this.#shown;
    const owners = new HostOwners(this.#options);
    const candidates = [...this.#own.list(), ...this.#options.automatic.candidates()];
    const now = this.#now();
    const chosen = chooseCertificates(candidates, owners, now);
    this.#shown = { owners, chosen, tls: certificatesOf(chosen), until: nextChange(candidates, now) };
    return this.#shown;
  }

  #tellExpiry(): void {
    const { store, automatic } = this.#options;
    for (const candidate of new Set(this.#show().chosen.values())) {
      const { id, app, facts } = candidate;
      const expiry = expiryOf(facts, this.#now());
      if (id !== undefined && expiry !== undefined && store.told(id) !== expiry)
        store.setTold(id, expiry, () => this.#happened(app, expiryText(candidate, expiry)));
      // Those that are renewed by themselves have their own words before.
      if (id === undefined && expiry === 'expired')
        automatic.tellExpiry(candidate, () => this.#tellNotRenewed(candidate));
    }
  }

  #tellNotRenewed(candidate: Candidate): void {
    const hostname = candidate.facts.hosts[0]!;
    const { problem, nextOrder } = this.#options.automatic.outlook(hostname);
    const again = nextOrder ? `the next one is tried ${minuteText(nextOrder)}` : '';
    const advice = [problem, again].filter(Boolean).join('; ');
    this.#happened(this.appOf(hostname), expiryText(candidate, 'expired', advice));
  }

  #happened(app: string | undefined, text: string): void {
    this.#options.activity.happened({ app, dyno: 'certs', action: 'certs:expire', text });
  }

  #now(): Date {
    return this.#options.now?.() ?? new Date();
  }

  #of(app: string | undefined): Candidate[] {
    return this.#own.list().filter((candidate) => candidate.app === app);
  }

  #view(hostname: string, shown: Candidate | undefined): HostCertificate {
    const outlook = this.#options.automatic.outlook(hostname);
    if (!shown) return { hostname, kind: 'none', certificate: undefined, ...outlook };
    const { kind, facts } = shown;
    const expiry = expiryProblem(shown, this.#now());
    const { problem, nextOrder } = kind === 'automatic' ? outlook : {};
    const problems = [expiry, problem].filter((text) => text !== undefined);
    return { hostname, kind, certificate: facts, problem: problems.join(': ') || undefined, nextOrder };
  }

  /** Throws `conflict` where there are none: it would be of no use, or a mistake. */
  #coveredBy(app: string | undefined, { names }: Bundle): string[] {
    const { owners } = this.#show();
    const candidates =
      app === undefined ? owners.hosts().filter((host) => owners.isPlatforms(host)) : owners.hostsOf(app);
    const hosts = [
      ...candidates,
      ...names.filter((name) => app !== undefined && owners.appsOf(name).includes(app)),
    ];
    const covered = [...new Set(hosts)].filter((host) => covers(names, host));
    if (covered.length > 0) return covered;
    throw new PaasError(
      'conflict',
      app === undefined
        ? `The certificate is for ${names.join(', ')}: no name below ${owners.domain} among them.`
        : `The certificate is for ${names.join(', ')}; ${app} answers at ${candidates.join(', ')}. \`domains:add\` adds a name.`,
    );
  }

  async #changed(action: {
    app: string | undefined;
    user: string;
    action: string;
    text: string;
  }): Promise<void> {
    const { activity } = this.#options;
    this.refresh();
    if (action.app === undefined) activity.record(action);
    else activity.note({ ...action, app: action.app });
    await this.#options.publishRoutes();
  }
}

const MINUTE_MS = 60_000;

/** Not one of those for which none is ever ordered. */
function isOrdered({ nextOrder }: HostCertificate): boolean {
  return nextOrder !== undefined;
}

function nothingToRenew(app: string | undefined, hostname: string | undefined): PaasError {
  const whose = app ?? 'the platform';
  return new PaasError(
    'not_found',
    hostname === undefined
      ? `${whose} has no host whose certificate comes by itself.`
      : `${whose} has no host ${quote(hostname)}, or it has a certificate that was given.`,
  );
}

function isSame(one: string[], other: string[]): boolean {
  return one.length === other.length && one.every((name) => other.includes(name));
}
