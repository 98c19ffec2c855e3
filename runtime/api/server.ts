import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Access } from '../containers/container-config.ts';
import { diskTrouble } from '../disk-trouble.ts';
import { EngineError, type EngineErrorCode } from '../engine-error.ts';
import { turns } from '../turns.ts';
import { answerBrokenRequests } from './broken-requests.ts';
import { Exchange } from './exchange.ts';
import { refuseForeignRoute } from './platform-routes.ts';
import type { Router } from './router.ts';
import { API_VERSION, MIN_API_VERSION } from './version.ts';

// An import statement would load WebSocket, fetch and TLS with it: 7 MB.
const http = process.getBuiltinModule('node:http');

const STATUS: Record<EngineErrorCode, number> = {
  invalid: 400,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  internal: 500,
  unsupported: 501,
  unavailable: 503,
};

export interface ApiServer {
  server: Server;
  /** Ends it with all its connections, also those that are streams by now, which the server itself waits for. */
  close(): Promise<void>;
}

/** An HTTP server with the Engine API; every request through it has the rights of `access`. */
export function createApiServer(router: Router, access: Access): ApiServer {
  const server = http.createServer({ requestTimeout: 0, keepAliveTimeout: 60_000 });
  const connections = new Set<Socket>();
  server.on('connection', (socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  server.on('request', (request, response) => {
    void answer(router, { request, response, access });
  });
  answerBrokenRequests(server);
  server.on('upgrade', (request, socket, head) => {
    const response = new http.ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as Socket);
    response.on('finish', () => socket.end());
    void answer(router, { request, response, access }, { socket, head });
  });
  const close = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of connections) socket.destroy();
    await closed;
  };
  return { server, close };
}

async function answer(
  router: Router,
  message: { request: IncomingMessage; response: ServerResponse; access: Access },
  upgrade?: { socket: Duplex; head: Buffer },
): Promise<void> {
  const { request, response } = message;
  const url = request.url ?? '/';
  const mark = url.indexOf('?');
  const query = new URLSearchParams(mark < 0 ? '' : url.slice(mark + 1));
  const exchange = new Exchange({ ...message, query }, upgrade);
  response.setHeader('Api-Version', API_VERSION);
  response.setHeader('Server', 'paas');
  await turns.next();
  try {
    const path = mark < 0 ? url : url.slice(0, mark);
    exchange.version = versionOf(path);
    const { route, params } = router.match(request.method ?? '', path);
    if (message.access === 'platform') refuseForeignRoute(route);
    exchange.params = params;
    await route.handler(exchange);
  } catch (error) {
    answerError(exchange, error);
  }
}

/** The minor version of the API that the path asks for, else ours. Throws `invalid` for one that we do not speak. */
function versionOf(path: string): number {
  const minor = Number(/^\/v1\.(\d+)\//.exec(path)?.[1] ?? API_VERSION.split('.')[1]);
  if (minor < Number(MIN_API_VERSION.split('.')[1])) {
    throw new EngineError(
      'invalid',
      `client version 1.${minor} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    );
  }
  if (minor > Number(API_VERSION.split('.')[1])) {
    throw new EngineError(
      'invalid',
      `client version 1.${minor} is too new. Maximum supported API version is ${API_VERSION}`,
    );
  }
  return minor;
}

function answerError(exchange: Exchange, error: unknown): void {
  const trouble = diskTrouble(error);
  const { status, message } = trouble
    ? { status: STATUS.unavailable, message: trouble }
    : answerTo(error as Failure);
  if (status === 500) console.error(`${exchange.request.method} ${exchange.request.url}:`, error);
  if (exchange.answered) exchange.hangUp();
  else exchange.send(status, { message });
}

type Failure = { code?: string; exitCode?: number; message: string };

/** A process that could not be started for reasons in the image or the request (126, 127) is the client's matter. */
function answerTo({ code, exitCode, message }: Failure): { status: number; message: string } {
  if (exitCode !== undefined) return { status: 400, message: `${message}${hintOf(exitCode, message)}` };
  return { status: STATUS[code as EngineErrorCode] ?? 500, message };
}

/** The words by which the docker client knows that it should exit with 127 or 126. */
function hintOf(exitCode: number, message: string): string {
  if (exitCode === 127 && !message.includes('no such file or directory'))
    return ' (no such file or directory)';
  if (exitCode === 126 && !message.includes('permission denied')) return ' (permission denied)';
  return '';
}
