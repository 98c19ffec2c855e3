import type { ClientConnection } from './client-connection.ts';
import type { Answer } from './error-page.ts';
import type { RequestHead } from './request-head.ts';
import type { ResponseHead } from './response-head.ts';
import type { Wire } from './wire.ts';

/** One of the router's doors. */
export interface Entrance {
  scheme: 'http' | 'https';
  /** Where clients connect. */
  port: number;
  /** It is an app's own: whatever host they ask for. */
  isOwn: boolean;
}

/** Who gets the answer to one request: a connection of HTTP/1.1, or a stream of HTTP/2. */
export interface Client {
  /** Its address. */
  readonly peer: string;
  readonly entrance: Entrance;
  /** What a request without a past gets told of it: from forwardedFields(). */
  readonly forwarded: string;
  /** The host that it asked TLS for; undefined: no TLS. */
  readonly serverName: string | undefined;
  /** Of HTTP. */
  readonly version: 1 | 2;
  /** What an upgrade takes over; undefined: HTTP/2, which has none. */
  readonly connection: ClientConnection | undefined;
  /** It does not take what was written; clientDrained() tells when it does again. */
  readonly blocked: boolean;
  /** It shall bring no more of the request for a while. */
  pause(): void;
  resume(): void;
  /** Keeps bytes that come after the request in progress. */
  hold(bytes: Buffer): void;
  /** Passes a 1xx on. */
  inform(head: ResponseHead): void;
  /** The way of a dyno's response to it. `keepAlive`: another request may follow. */
  respond(
    head: ResponseHead,
    options: { request: RequestHead; dyno: Wire; keepAlive: boolean },
  ): ClientResponse;
  /** Answers instead of a dyno; the exchange is over. */
  answer(answer: Answer, options: { isHead: boolean; keepAlive: boolean }): void;
  /** The answer is written, the request was read to its end: on with the next one. */
  next(): void;
  /** The answer is written, and nothing more was asked for. */
  close(): void;
  /** The answer is written, the rest of the request unwanted. */
  finish(): void;
  /** Ends in the middle of an answer. `reset`: its end could else be taken for the end of the answer. */
  abort(options: { reset: boolean }): void;
  /** Ends now; the exchange is told. */
  destroy(): void;
}

/** Whoever a client works for at the moment: an exchange, or a tunnel. */
export interface ClientUser {
  fromClient(chunk: Buffer): void;
  /** The client will send nothing more. */
  clientEnded(): void;
  clientClosed(): void;
  clientDrained(): void;
  tick(now: number): void;
}

/** One response on its way to a client, no faster than he reads. */
export interface ClientResponse {
  readonly head: ResponseHead;
  /** The connection can carry another request after this response. */
  readonly keepAlive: boolean;
  /** Of the body, as far as it came. */
  readonly bytes: number;
  readonly done: boolean;
  /** Nothing was sent yet: an error can be answered instead. */
  readonly isHeldBack: boolean;
  /**
   * Takes what came with the head. Throws BadResponse if there is more than the response, FramingError if its body is malformed;
   * nothing was sent then.
   */
  begin(bytes: Buffer, length: number, date: string): void;
  /** Takes more of the body; returns false if there was more than that. Throws FramingError. */
  feed(chunk: Buffer): boolean;
  /** The dyno has closed the connection, and that was the end of the body. */
  end(): void;
  /** Nothing more is sent, not even what is held back. */
  cancel(): void;
}
