import type { Server, SocketConstructorOpts } from 'node:net';

/** What Node makes a socket of. */
export type ConnectionHandle = NonNullable<SocketConstructorOpts['handle']>;

/** What Node's servers are made of: no public part of it, but the same for years. */
interface ServerHandle {
  onconnection: (error: number, connection?: ConnectionHandle) => void;
}

/**
 * Has a server that listens hand over its connections before it makes sockets of them: those would allocate memory for every read, and
 * there is no option against it. Errors go their usual way.
 */
export function takeConnections(server: Server, take: (connection: ConnectionHandle) => void): void {
  const { _handle: handle } = server as unknown as { _handle: ServerHandle };
  const usual = handle.onconnection;
  handle.onconnection = (error, connection) => {
    if (error || !connection) usual.call(handle, error, connection);
    else take(connection);
  };
}
