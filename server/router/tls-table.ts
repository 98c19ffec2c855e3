import type { App } from './app.ts';
import { HostMap } from './host-map.ts';
import type { CertificateRoute, ChallengeRoute, RouteTable } from './route-table.ts';
import type { CertificatePair } from './secure-contexts.ts';

/** What of a route table is about TLS. */
export class TlsTable {
  readonly #certificates = new Map<string, CertificateRoute>();
  /** By what stands behind the asterisk: `.example.com`. */
  readonly #wildcards = new Map<string, CertificateRoute>();
  /** By token; undefined: none. */
  readonly #challenges: Map<string, ChallengeRoute> | undefined;
  readonly #passthrough: HostMap<Passthrough> | undefined;

  /** `appOf`: of the table, by name. */
  constructor(table?: RouteTable, appOf?: (name: string) => App) {
    // Of two for one host the first counts.
    for (const certificate of table?.certificates ?? []) {
      for (const host of certificate.hosts) {
        const [map, key] = host.startsWith('*.')
          ? [this.#wildcards, host.slice(1)]
          : [this.#certificates, host];
        if (!map.has(key)) map.set(key, certificate);
      }
    }
    const challenges = table?.challenges ?? [];
    if (challenges.length > 0) {
      this.#challenges = new Map(challenges.map((challenge) => [challenge.token, challenge]));
    }
    this.#passthrough = table && passthroughOf(table, appOf!);
  }

  /** Those that may be shown for a host, the best one first. */
  certificates(host: string): CertificateRoute[] {
    const exact = this.#certificates.get(host);
    const dot = host.indexOf('.');
    const wildcard = dot > 0 ? this.#wildcards.get(host.slice(dot)) : undefined;
    return [exact, wildcard].filter((certificate) => certificate !== undefined);
  }

  /** Whether HTTPS is for this host: a certificate stands in the table, or the app has its own. */
  covers(host: string): boolean {
    return this.certificates(host).length > 0 || this.passthrough(host) !== undefined;
  }

  /** The key authorization that an authority asks for (RFC 8555, 8.3). `target`: of the request. */
  answer(host: string, target: string): string | undefined {
    if (!this.#challenges || !target.startsWith(CHALLENGE_PATH)) return undefined;
    const challenge = this.#challenges.get(target.slice(CHALLENGE_PATH.length));
    return challenge?.host === host ? challenge.answer : undefined;
  }

  /** What an authority gets to see that asks by TLS (RFC 8737). */
  challengeCertificate(host: string): CertificatePair | undefined {
    for (const { host: asked, certificate } of this.#challenges?.values() ?? []) {
      if (asked === host && certificate) return certificate;
    }
    return undefined;
  }

  /** Where TLS for this host goes unread. */
  passthrough(host: string): Passthrough | undefined {
    return this.#passthrough?.find(host, '/');
  }
}

/** A port of the app's dynos. */
export interface Passthrough {
  app: App;
  port: number;
}

function passthroughOf(table: RouteTable, appOf: (name: string) => App): HostMap<Passthrough> | undefined {
  let map: HostMap<Passthrough> | undefined;
  for (const { app, passthrough = [] } of table.apps) {
    for (const { host, port } of passthrough) {
      map ??= new HostMap();
      map.set({ host, path: '', value: { app: appOf(app), port } });
    }
  }
  return map;
}

/** Where certificate authorities look; an app may have an answer of its own there. */
export const CHALLENGE_PATH = '/.well-known/acme-challenge/';
