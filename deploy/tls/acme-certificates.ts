import { lookup } from 'node:dns/promises';
import type { Activity } from '../activity.ts';
import type { AcmeStore } from '../store/acme-store.ts';
import { AcmeCertificates, type AcmeCertificatesOptions } from './acme/acme-certificates.ts';
import { isPublicName, whyNotOrdered } from './acme/public-name.ts';
import type { AppCertificates } from './certificates.ts';

const DAY_MS = 86_400_000;

/** Certificates from an authority, for the hosts of apps that want them and have no other. */
export function acmeCertificates({
  directory,
  email,
  store,
  certificates,
  publish,
  activity,
}: {
  directory: string;
  email: string;
  store: AcmeStore;
  certificates: () => AppCertificates;
  publish: AcmeCertificatesOptions['publish'];
  activity: Activity;
}): AcmeCertificates {
  const whyNot = (hostname: string) =>
    whyNotOrdered(hostname, directory) ?? certificates().whyNotWanted(hostname);
  const isPublic = isPublicName(new URL(directory).hostname);
  return new AcmeCertificates({
    store,
    directory,
    email,
    whyNot,
    // One that is given ends with its time; what comes in its place should be there by then.
    wanted: () =>
      certificates()
        .hostsWithoutOwn(new Date(Date.now() + DAY_MS))
        .filter((hostname) => whyNot(hostname) === undefined),
    // A private authority may know names that our DNS does not.
    resolves: async (hostname) => !isPublic || isKnown(hostname),
    publish,
    note: (hostname, text) =>
      activity.happened({ app: certificates().appOf(hostname), dyno: 'certs', action: 'certs:auto', text }),
    challenges: ['http-01', 'tls-alpn-01'],
  });
}

/** Only a plain no is one: whoever cannot ask goes on. */
async function isKnown(hostname: string): Promise<boolean> {
  try {
    return (await lookup(hostname, { all: true })).length > 0;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOTFOUND';
  }
}
