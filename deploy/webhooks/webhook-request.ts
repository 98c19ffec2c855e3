import { createHmac } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { PaasError } from '../model/paas-error.ts';
import type { AddressPolicy } from './address-policy.ts';

const ANSWER_MS = 10_000;
const MAX_URL = 2000;

export interface WebhookMessage {
  url: string;
  secret: string;
  /** Of the delivery: a receiver that knows it has seen this one. */
  id: number;
  body: string;
}

/** `http` or `https`, without a password in it. Throws `invalid`. */
export function parseWebhookUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol) || text.length > MAX_URL)
    throw new PaasError(
      'invalid',
      `"${text}" is no URL for a webhook: it should look like https://example.com/hook.`,
    );
  if (url.username !== '' || url.password !== '')
    throw new PaasError(
      'invalid',
      'The URL of a webhook cannot hold a user or password: the signature says who we are.',
    );
  return url;
}

/**
 * The address to which a webhook's request may go: names are resolved here once, and the request goes to what came out, so that no
 * second answer can lead it elsewhere. Throws `invalid` where that is no address for webhooks, `unavailable` where there is none.
 */
export async function resolveForWebhook(url: URL, policy: AddressPolicy): Promise<string> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const found = isIP(host) ? [host] : await addressesOf(host);
  const refused = found.find((address) => !policy.allows(address));
  if (refused === undefined) return found[0]!;
  throw new PaasError(
    'invalid',
    `${url.hostname} leads to ${refused}, which webhooks may not reach: only public addresses, and the networks of PAAS_WEBHOOK_NETWORKS.`,
  );
}

/** What the receiver checks: HMAC-SHA256 of the time (seconds since the epoch), a dot and the body, in hexadecimal digits. */
export function signatureOf({
  secret,
  timestamp,
  body,
}: {
  secret: string;
  timestamp: number;
  body: string;
}): string {
  return createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex');
}

/** POSTs it, to the resolved address; resolves with the status of the answer. Redirections are not followed. Throws with the reason. */
export async function postWebhook(message: WebhookMessage, policy: AddressPolicy): Promise<number> {
  const url = parseWebhookUrl(message.url);
  const address = await resolveForWebhook(url, policy);
  // An import statement would load them for everybody: 7 MB.
  const http = process.getBuiltinModule('node:http');
  const client = url.protocol === 'https:' ? process.getBuiltinModule('node:https') : http;
  return new Promise((resolve, reject) => {
    const request = client.request(
      {
        host: address,
        port: url.port || (url.protocol === 'https:' ? 443 : 80),
        ...(url.protocol === 'https:' && !isIP(url.hostname) && { servername: url.hostname }),
        method: 'POST',
        path: `${url.pathname}${url.search}`,
        headers: headersOf(message, url),
        agent: false,
        signal: AbortSignal.timeout(ANSWER_MS),
      },
      (response) => {
        resolve(response.statusCode ?? 0);
        response.destroy();
      },
    );
    request.on('error', (error) =>
      reject(error.name === 'AbortError' ? new Error(`no answer within ${ANSWER_MS / 1000} s`) : error),
    );
    request.end(message.body);
  });
}

function headersOf({ secret, id, body }: WebhookMessage, url: URL): Record<string, string> {
  const timestamp = Math.floor(Date.now() / 1000);
  return {
    host: url.host,
    'user-agent': 'paas-webhooks',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(body)),
    'paas-webhook-delivery': String(id),
    'paas-webhook-timestamp': String(timestamp),
    'paas-webhook-signature': `v1=${signatureOf({ secret, timestamp, body })}`,
  };
}

async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch (cause) {
    throw new PaasError('unavailable', `The name ${host} has no address.`, { cause });
  }
}
