import { chmodSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { Config } from '../config.ts';
import { answersOnSocket } from './probes.ts';

/**
 * How `paas stop` reaches the main process, and how a second one learns of the first. Of root.
 *
 *   stop ── "stop\n" or "stop apps\n" ──► main
 *        ◄── "<pid>\n", then the connection ends when everything has stopped
 */
export type StopRequest = { apps: boolean };

/** Of the socket, also known to `checkHost`. */
export function mainSocket(config: Pick<Config, 'run'>): string {
  return join(config.run, 'main.sock');
}

/** Listens for requests; `stop` is awaited before the connection ends. Throws `conflict` when another main runs. */
export async function listenForStop(
  config: Config,
  stop: (request: StopRequest) => Promise<void>,
): Promise<Server> {
  const path = mainSocket(config);
  if (await answersOnSocket(path)) {
    throw new PaasError(
      'conflict',
      `The platform of "${config.run}" runs already. Stop it with: sudo npm start -- stop`,
    );
  }
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.write(`${process.pid}\n`);
    socket.on('data', (text) => {
      const request = /^stop( apps)?\n$/.exec(text.toString());
      if (request) stop({ apps: request[1] !== undefined }).finally(() => socket.end());
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return server;
}

/** Asks the running main to stop and waits for it. False: none runs. */
export function requestStop(config: Config, request: StopRequest): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(mainSocket(config), () =>
      socket.write(`stop${request.apps ? ' apps' : ''}\n`),
    );
    let connected = false;
    socket.on('connect', () => {
      connected = true;
    });
    socket.on('error', () => undefined).resume();
    socket.on('close', () => resolve(connected));
  });
}

/** The process id of the running main; undefined: none runs. */
export function runningMain(config: Config): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(mainSocket(config));
    socket.on('data', (text) => {
      resolve(Number(text.toString()));
      socket.destroy();
    });
    socket.on('error', () => resolve(undefined)).on('close', () => resolve(undefined));
  });
}
