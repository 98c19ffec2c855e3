/** What a certificate says. */
export interface CertificateFacts {
  /** The names it is good for, e.g. `*.example.com`. */
  hosts: string[];
  /** Who signed it, e.g. `R11 (Let's Encrypt)`. */
  issuer: string;
  /** In hexadecimal digits. */
  serialNumber: string;
  /** SHA-256: `AB:CD:…` */
  fingerprint: string;
  notBefore: Date;
  notAfter: Date;
}

/** One host name of an app, or of the platform, and the certificate that its visitors see. */
export interface HostCertificate {
  /** As in DomainView. */
  hostname: string;
  /**
   * own: the app's. platform: the platform's own. automatic: from the certificate authority of PAAS_ACME_DIRECTORY. none: there is none (yet).
   * unused: given by the app, and shown for no host.
   */
  kind: 'own' | 'platform' | 'automatic' | 'none' | 'unused';
  certificate: CertificateFacts | undefined;
  /** Why there is none, why the last try to get one failed, or what is wrong with it. In words. */
  problem: string | undefined;
  /** When one is ordered or renewed next; undefined: never. */
  nextOrder: Date | undefined;
}

/** Of an app, or (app undefined) of the platform: for the dashboard and all names below PAAS_DOMAIN. */
export interface Certificates {
  list(app: string | undefined): HostCertificate[];
  /**
   * `pem`: key and certificates, in any order. Takes the place of one with the same names. Returns the hosts that have it now. Throws `invalid`
   * for what cannot be shown to visitors, `conflict` for one that is good for no host of the app.
   */
  add(app: string | undefined, pem: string, user: string): Promise<HostCertificate[]>;
  /** The own certificate that is shown for a host, or has it among its names. Throws `not_found`. */
  remove(app: string | undefined, hostname: string, user: string): Promise<void>;
  /** Why none are ordered for anybody, and what to do instead; undefined: they are. */
  readonly whyNone: string | undefined;
  /** Whether certificates are ordered for the app's hosts, if the platform knows where. */
  isAutomatic(app: string): boolean;
  setAutomatic(app: string, on: boolean, user: string): Promise<void>;
  /**
   * Orders them now: of one host, or of all whose certificates come by themselves. `force`: also in place of one that has time. Returns those hosts.
   * Throws `conflict` for one too many, `unavailable` where none came, with what the authority said.
   */
  renew(
    app: string | undefined,
    options: { hostname: string | undefined; force: boolean; user: string },
  ): Promise<HostCertificate[]>;
}

export interface HttpsSettings {
  /** HTTP leads to HTTPS, on hosts that have a certificate. */
  redirect: boolean;
  /** Seconds for which browsers come by HTTPS alone (RFC 6797); 0: no longer; undefined: the router does not say. */
  hsts: number | undefined;
}

export interface Https {
  find(app: string): HttpsSettings;
  setRedirect(app: string, on: boolean, user: string): Promise<void>;
  /** Throws `invalid` for over ten years. */
  setHsts(app: string, seconds: number | undefined, user: string): Promise<void>;
}
