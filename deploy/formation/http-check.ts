import type { IncomingMessage } from 'node:http';
import type { HealthCheck } from '../../buildpacks/health-checks.ts';

// An import statement would load WebSocket, fetch and TLS with it: 7 MB.
const http = process.getBuiltinModule('node:http');

/** A page may be long; what is looked for must stand in its beginning. */
const MAX_PAGE = 1024 * 1024;

export interface CheckTarget {
  address: string;
  port: number;
  /** For the Host header. */
  host: string;
}

/** Why a dyno failed this check, in words; undefined: it passed. */
export function runHttpCheck(
  check: HealthCheck,
  { address, port, host }: CheckTarget,
  signal: AbortSignal,
): Promise<string | undefined> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(check.timeout * 1000)]);
  return new Promise((resolve) => {
    const request = http.request(
      {
        host: address,
        port,
        path: check.path,
        headers: { host, 'user-agent': 'paas-healthcheck', accept: '*/*', connection: 'close' },
        agent: false,
        signal: limit,
      },
      (response) => void judge(check, response).then(resolve),
    );
    request.on('error', (error) => {
      resolve(limit.aborted ? `no answer within ${check.timeout} s` : error.message);
    });
    request.end();
  });
}

async function judge(check: HealthCheck, response: IncomingMessage): Promise<string | undefined> {
  const status = response.statusCode ?? 0;
  const right = check.status === undefined ? status >= 200 && status < 400 : status === check.status;
  if (!right) {
    response.destroy();
    return `status ${status}`;
  }
  if (check.content === '') {
    response.destroy();
    return undefined;
  }
  return (await beginningOf(response)).includes(check.content)
    ? undefined
    : `the page does not contain ${JSON.stringify(check.content)}`;
}

async function beginningOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > MAX_PAGE) break;
    }
  } catch {
    // What came is judged.
  }
  return Buffer.concat(chunks).toString('utf8');
}
