import type { IncomingMessage } from 'node:http';
import { AcmeError } from './acme-error.ts';

export interface AcmeAnswer {
  status: number;
  /** Names in lower case. */
  headers: Record<string, string | undefined>;
  body: string;
  retryAfter: Date | undefined;
}

/** One request to a certificate authority; `json`: a POST of it. */
export type AcmeTransport = (
  method: 'GET' | 'HEAD' | 'POST',
  url: string,
  options: { json?: unknown; signal: AbortSignal },
) => Promise<AcmeAnswer>;

const TIMEOUT = 30_000;
const MAX_BODY = 1024 * 1024;

/**
 * Over HTTPS, or HTTP to this machine alone; by the proxy of the environment. No redirect is followed. Throws AcmeError `unreachable`.
 * `timeout`: milliseconds, for a whole answer. The modules are loaded here: control does without them while nothing is ordered.
 */
export function createTransport({ timeout = TIMEOUT } = {}): AcmeTransport {
  const https = process.getBuiltinModule('node:https');
  const http = process.getBuiltinModule('node:http');
  const agents = {
    'https:': new https.Agent({ keepAlive: false, proxyEnv: process.env }),
    'http:': new http.Agent({ keepAlive: false }),
  };
  return (method, url, { json, signal }) =>
    new Promise((resolve, reject) => {
      const target = checkUrl(url);
      const content = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
      const limit = AbortSignal.timeout(timeout);
      const fail = (cause: Error) => {
        const reason = limit.aborted ? `no answer within ${timeout / 1000} seconds` : reasonOf(cause);
        reject(new AcmeError('unreachable', `${target.host} cannot be reached: ${reason}`, { cause }));
      };
      const request = (target.protocol === 'https:' ? https : http).request(target, {
        method,
        agent: agents[target.protocol],
        signal: AbortSignal.any([signal, limit]),
        headers: {
          'user-agent': 'paas',
          ...(content && { 'content-type': 'application/jose+json', 'content-length': content.length }),
        },
      });
      request.on('error', fail);
      request.on('response', (response) => readAnswer(response).then(resolve, fail));
      request.end(content);
    });
}

/** Where a certificate authority may be. Throws AcmeError. */
export function checkUrl(url: string): URL & { protocol: 'https:' | 'http:' } {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  const isLocal = parsed !== undefined && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(parsed.hostname);
  if (parsed?.protocol === 'https:' || (parsed?.protocol === 'http:' && isLocal))
    return parsed as URL & { protocol: 'https:' | 'http:' };
  throw new AcmeError('malformed', 'The certificate authority names a URL that is not https.');
}

async function readAnswer(response: IncomingMessage): Promise<AcmeAnswer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > MAX_BODY) throw new Error('its answer is over 1 MiB');
    chunks.push(chunk);
  }
  const { statusCode, headers } = response;
  return {
    status: statusCode!,
    headers: headers as AcmeAnswer['headers'],
    body: Buffer.concat(chunks).toString(),
    retryAfter: parseRetryAfter(headers['retry-after']),
  };
}

/** Seconds or a date (RFC 9110, 10.2.3). */
export function parseRetryAfter(value: string | undefined, now = Date.now()): Date | undefined {
  if (value === undefined) return undefined;
  const at = /^\d{1,9}$/.test(value) ? now + Number(value) * 1000 : Date.parse(value);
  return Number.isNaN(at) ? undefined : new Date(at);
}

function reasonOf(error: Error): string {
  return (error as NodeJS.ErrnoException).code ?? error.message;
}
