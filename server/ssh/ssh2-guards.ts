import type { Socket } from 'node:net';
import type { Connection, ServerChannel } from 'ssh2';

// The only file that reaches into ssh2 (1.17): what its public interface lacks and a server on the internet needs.

interface Internals {
  _sock: Socket;
  _chanMgr: { get(id: number): unknown };
  _protocol: {
    _handlers: Record<string, (protocol: unknown, recipient: number, data: Buffer) => void>;
  };
}

interface ChannelInternals {
  incoming?: { window: number };
  _channel?: ChannelInternals;
  _chunk?: Buffer | undefined;
  _chunkcb?: unknown;
  _chunkErr?: Buffer | undefined;
  _chunkcbErr?: unknown;
}

/** The TCP connection below an SSH connection. */
export function socketOf(connection: Connection): Socket {
  return (connection as unknown as Internals)._sock;
}

/**
 * Ends a connection whose client sends more than its window allows. ssh2 lets the window go below zero and
 * buffers without bound (RFC 4254 section 5.2 lets us ignore the data; ending tells a broken client what happened).
 */
export function refuseDataPastWindow(connection: Connection, onViolation: () => void): void {
  const { _protocol, _chanMgr } = connection as unknown as Internals;
  const handlers = _protocol._handlers;
  const handleData = handlers.CHANNEL_DATA!;
  handlers.CHANNEL_DATA = (protocol, recipient, data) => {
    const found = _chanMgr.get(recipient) as ChannelInternals | undefined;
    const channel = found?._channel ?? found;
    if (channel?.incoming && data.length > channel.incoming.window) onViolation();
    else handleData(protocol, recipient, data);
  };
}

/**
 * Forgets what a write had to hold back until the window grew. ssh2 does not, and writes it once more when stderr waits
 * for the window after stdout did (or the other way round).
 */
export function forgetHeldBack(channel: ServerChannel): void {
  const internals = channel as unknown as ChannelInternals;
  internals._chunk = undefined;
  internals._chunkcb = undefined;
  internals._chunkErr = undefined;
  internals._chunkcbErr = undefined;
}
