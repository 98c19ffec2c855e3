import type { Server } from 'node:net';
import type { StreamHandle } from './stream-handle.ts';

/** What Node's servers are made of: no public part of it, but the same for years. */
interface ServerHandle {
  setNoDelay(on: boolean): number;
  onconnection: (error: number, connection?: StreamHandle) => void;
}

/**
 * Has a server that listens hand over its connections before it makes sockets of them: those would allocate memory for every read, and
 * there is no option against it. Errors go their usual way.
 */
export function takeConnections(server: Server, take: (connection: StreamHandle) => void): void {
  const { _handle: handle } = server as unknown as { _handle: ServerHandle };
  // Inherited by what it accepts (Linux), without a system call for each.
  handle.setNoDelay(true);
  const usual = handle.onconnection;
  handle.onconnection = (error, connection) => {
    if (error || !connection) usual.call(handle, error, connection);
    else take(connection);
  };
}
