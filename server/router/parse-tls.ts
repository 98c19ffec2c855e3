import { HOST, integer, list, matching, object, optional, RouteTableError } from './parse-value.ts';
import type { AppRoute, CertificateRoute, ChallengeRoute, HttpsRoute } from './route-table.ts';

/** Checks the form only: whether a key fits is seen when it is used, and must not cost the other hosts their routes. */
export function parseCertificates(value: unknown, where: string): CertificateRoute[] {
  return list(value, where).map((entry, i) => {
    const { hosts } = object(entry, `${where}[${i}]`);
    return {
      hosts: list(hosts, `${where}[${i}].hosts`).map((host, j) =>
        matching(host, HOST, `${where}[${i}].hosts[${j}]`),
      ),
      ...parsePair(entry, `${where}[${i}]`),
    };
  });
}

export function parseChallenges(value: unknown, where: string): ChallengeRoute[] {
  return list(value, where).map((entry, i) => {
    const challenge = object(entry, `${where}[${i}]`);
    return {
      host: matching(challenge.host, HOST, `${where}[${i}].host`),
      token: matching(challenge.token, TOKEN, `${where}[${i}].token`),
      answer: matching(challenge.answer, ANSWER, `${where}[${i}].answer`),
      ...optional(challenge, 'certificate', (pair) => parsePair(pair, `${where}[${i}].certificate`)),
    };
  });
}

export function parseHttps(value: unknown, where: string): HttpsRoute {
  const https = object(value, where);
  if (typeof https.redirect !== 'boolean') throw new RouteTableError(`${where}.redirect is no boolean.`);
  return {
    redirect: https.redirect,
    ...optional(https, 'hsts', (hsts) => integer(hsts, `${where}.hsts`, [0, MAX_AGE])),
  };
}

export function parsePassthrough(value: unknown, where: string): NonNullable<AppRoute['passthrough']> {
  return list(value, where).map((entry, i) => {
    const { host, port } = object(entry, `${where}[${i}]`);
    return {
      host: matching(host, HOST, `${where}[${i}].host`),
      port: integer(port, `${where}[${i}].port`, [1, 65535]),
    };
  });
}

/** Messages never hold the key. */
function parsePair(value: unknown, where: string): { chain: string; key: string } {
  const { chain, key } = object(value, where);
  return { chain: pem(chain, `${where}.chain`), key: pem(key, `${where}.key`) };
}

function pem(value: unknown, where: string): string {
  if (typeof value === 'string' && value.length <= MAX_PEM) return value;
  throw new RouteTableError(`${where} is no text of at most ${MAX_PEM} characters.`);
}

const MAX_PEM = 128 * 1024;
/** Ten years. */
const MAX_AGE = 315_360_000;
const TOKEN = /^[A-Za-z0-9_-]{1,200}$/;
const ANSWER = /^[A-Za-z0-9_.-]{1,400}$/;
