import type { ListenOptions, Server } from 'node:net';
import type { StreamHandle } from './stream-handle.ts';

/** What Node's servers are made of: no public part of it, but the same for years. */
interface ServerHandle {
  setNoDelay(on: boolean): number;
  onconnection: (error: number, connection?: StreamHandle) => void;
}

/** Has a server listen at an address, or on a socket that is bound already: for those Node takes no option `backlog`. */
export function listen(server: Server, where: ListenOptions | { fd: number }, done: () => void): void {
  if ('fd' in where) server.listen(where, BACKLOG, done);
  else server.listen({ ...where, backlog: BACKLOG }, done);
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

/** How many connections wait until they are accepted: those of a rush beyond that would come a second late. The kernel's own limit is the same. */
const BACKLOG = 4096;
