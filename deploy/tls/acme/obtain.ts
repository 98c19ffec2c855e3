import { createPrivateKey, type KeyObject } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CertificatePair, Challenge } from '../../model/router.ts';
import { covers } from '../certificate-names.ts';
import { certificateRequest, challengeCertificate, keyText, newKey } from '../certificate-request.ts';
import { parseBundle } from '../pem-bundle.ts';
import type { AcmeAuthorization, AcmeClient, AcmeOrder } from './acme-client.ts';
import { AcmeError, problemOf } from './acme-error.ts';

export type ChallengeType = 'http-01' | 'tls-alpn-01';

/** An order that was begun, so that whoever goes on with it orders nothing twice. */
export interface OrderState {
  url: string;
  /** Of the certificate, PEM. */
  key: string;
}

export interface ObtainOptions {
  client: AcmeClient;
  challenge: ChallengeType;
  /** One that was begun before. */
  begun: OrderState | undefined;
  /** Before anything else is done with a new order. */
  onOrder: (state: OrderState) => void;
  /** Resolves with how to take it back when the router answers to it. */
  present: (challenge: Challenge) => Promise<() => void>;
  /** Milliseconds for all of it. */
  timeLimit: number;
  signal: AbortSignal;
}

/**
 * A certificate for one host: order, prove, finalize, download (RFC 8555, 7.1). Throws AcmeError; `timeout` leaves the order as it is,
 * to be gone on with.
 */
export async function obtainCertificate(host: string, options: ObtainOptions): Promise<CertificatePair> {
  const { client, begun, onOrder } = options;
  const deadline = Date.now() + options.timeLimit;
  const key = begun ? createPrivateKey(begun.key) : newKey();
  let order = begun ? await client.order(begun.url) : await client.newOrder([host]);
  if (!begun) onOrder({ url: order.url, key: keyText(key) });
  const step = { ...options, deadline, pace: { next: FIRST_POLL_MS } };
  if (order.status === 'pending') order = await prove(host, order, step);
  if (order.status === 'ready') order = await client.finalize(order, certificateRequest([host], key));
  while (order.status === 'processing' || order.status === 'ready') {
    await pause(order.retryAfter, step);
    order = await client.order(order.url);
  }
  if (order.status !== 'valid' || !order.certificate) throw failed(order);
  return checked(host, await client.certificate(order.certificate), key);
}

type Step = ObtainOptions & { deadline: number /** Milliseconds. */; pace: { next: number } };

async function prove(host: string, order: AcmeOrder, step: Step): Promise<AcmeOrder> {
  for (const url of order.authorizations) {
    const authorization = await step.client.authorization(url);
    if (authorization.status !== 'valid') await answerChallenge(host, { ...step, url, authorization });
  }
  let now = await step.client.order(order.url);
  while (now.status === 'pending') {
    await pause(now.retryAfter, step);
    now = await step.client.order(order.url);
  }
  return now;
}

async function answerChallenge(
  host: string,
  { url, authorization, ...step }: Step & { url: string; authorization: AcmeAuthorization },
): Promise<void> {
  const challenge = authorization.challenges.find(({ type }) => type === step.challenge);
  if (!challenge) throw refusal(authorization, `offers no ${step.challenge} for ${host}`);
  const answer = step.client.keyAuthorization(challenge.token);
  const takeBack = await step.present({
    host,
    token: challenge.token,
    answer,
    ...(step.challenge === 'tls-alpn-01' && { certificate: challengeCertificate(host, answer) }),
  });
  try {
    if (challenge.status === 'pending') await step.client.begin(challenge);
    for (;;) {
      const now = await step.client.authorization(url);
      if (now.status === 'valid') return;
      if (now.status !== 'pending') throw refusal(now, `does not accept the ${step.challenge} of ${host}`);
      await pause(now.retryAfter, step);
    }
  } finally {
    takeBack();
  }
}

/** As long as the authority says, within reason; else longer and longer. */
async function pause(retryAfter: Date | undefined, { deadline, pace, signal }: Step): Promise<void> {
  const wanted = retryAfter ? Math.min(retryAfter.getTime() - Date.now(), MAX_TOLD_MS) : 0;
  const milliseconds = Math.max(wanted, pace.next);
  pace.next = Math.min(pace.next * 2, MAX_POLL_MS);
  if (Date.now() + milliseconds > deadline)
    throw new AcmeError('timeout', 'The certificate authority has not finished the order yet.');
  await sleep(milliseconds, undefined, { signal });
}

const FIRST_POLL_MS = 100;
const MAX_POLL_MS = 5_000;
const MAX_TOLD_MS = 30_000;

/** What comes must be what was asked for. */
function checked(host: string, chain: string, key: KeyObject): CertificatePair {
  try {
    const bundle = parseBundle(`${chain}\n${keyText(key)}`);
    if (covers(bundle.names, host)) return { chain: bundle.chain, key: bundle.key };
    throw new Error(`it is for ${bundle.names.join(', ')}`);
  } catch (error) {
    const reason = (error as Error).message;
    throw new AcmeError('malformed', `The certificate that came for ${host} is of no use: ${reason}`);
  }
}

function failed(order: AcmeOrder): AcmeError {
  return new AcmeError('orderInvalid', problemOf(order.document) ?? `The order has become ${order.status}.`);
}

function refusal({ challenges, status }: AcmeAuthorization, what: string): AcmeError {
  const reasons = challenges.map(problemOf).filter(Boolean);
  const reason = reasons[0] ?? `the authorization is ${status}`;
  return new AcmeError('unauthorized', `The certificate authority ${what}: ${reason}`);
}
