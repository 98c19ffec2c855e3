/** Bounds on what a client or a dyno may take of the router. Times are in milliseconds. */
export interface Limits {
  /** Bytes of a request's head (431, or 414 when its first line alone is longer). */
  requestHead: number;
  /** Bytes of a response's head. */
  responseHead: number;
  /** From the first byte of a head to its end. */
  headTime: number;
  /** From a connection at the HTTPS entrance to the end of its handshake. */
  handshake: number;
  /** A connection between two requests. */
  idleClient: number;
  /** Connections at once; at the cap the longest idle one makes room. */
  connections: number;
  /** Of those, what one address (of IPv6: one network of 64 bits) may have. */
  connectionsPerClient: number;
  /** Connecting to one dyno (H19). */
  connect: number;
  /** From the end of the request to the first byte of the response (H12). */
  firstByte: number;
  /** Without any byte in a response or a tunnel (H15), or in a request's body (H28). */
  silence: number;
  /** Bytes that a request's body must bring in `silence` as long as nothing was answered (H28): no slow posts. */
  bodyBytesPerSilence: number;
  /** How long requests wait for an app's first dyno (H20). */
  booting: number;
  /** How long requests wait for a dashboard that is restarting, or for the first route table. */
  dashboard: number;
  /** How long an idle connection to a dyno is kept, unless its Keep-Alive field says else; Node's own servers close after 5 s. */
  idleUpstream: number;
  /** Idle connections kept for each dyno. */
  idleUpstreams: number;
  /** A client that has half-closed may still get an answer within this time. */
  halfClosed: number;
  /** How long the rest of an unwanted request is read, so that the client gets to see the answer. */
  linger: number;
  /** How long an idle connection may still bring a request after SIGTERM, which then is its last. */
  farewell: number;
  /** How long requests in progress may take after SIGTERM. */
  shutdown: number;
  /** How often all of these times are looked at. */
  sweep: number;
}

export const defaultLimits: Limits = {
  requestHead: 32 * 1024,
  responseHead: 64 * 1024,
  headTime: 30_000,
  handshake: 10_000,
  idleClient: 75_000,
  connections: 16_384,
  connectionsPerClient: 4_096,
  connect: 5_000,
  firstByte: 30_000,
  silence: 55_000,
  bodyBytesPerSilence: 512,
  booting: 75_000,
  dashboard: 5_000,
  idleUpstream: 4_000,
  idleUpstreams: 4_096,
  halfClosed: 2_000,
  linger: 2_000,
  farewell: 1_000,
  shutdown: 30_000,
  sweep: 250,
};
