import { chmodSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { Config } from '../config.ts';
import { answersOnSocket } from './probes.ts';

/**
 * How `paas stop` reaches the main process, and how a second one learns of the first. Of root.
 *
 *   stop ── connects ──► main
 *        ◄── "<pid>\n"
 *        ── "stop\n" or "stop apps\n" ──►
 *        ◄── nothing, or why it did not work; the connection ends when everything has stopped
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
      if (!request) return;
      stop({ apps: request[1] !== undefined }).then(
        () => socket.end(),
        (error: Error) => socket.end(error.message),
      );
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return server;
}

/** Asks the running main to stop and waits for it. False: none runs. Throws `unavailable` with what went wrong. */
export function requestStop(config: Config, request: StopRequest): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(mainSocket(config));
    let said = '';
    let connected = false;
    socket.on('connect', () => {
      connected = true;
      socket.write(`stop${request.apps ? ' apps' : ''}\n`);
    });
    socket.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      const failure = said.replace(/^\d+\n/, '');
      if (failure) reject(new PaasError('unavailable', failure));
      else resolve(connected);
    });
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
