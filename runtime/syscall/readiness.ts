import koffi from 'koffi';
import { systemCall } from './system-call.ts';

/**
 * Calls back once when the descriptor is readable, or its other end is gone (a pidfd: when its process has ended). Returns a function that
 * gives up; call it, or be called back, before the descriptor is closed. `keepAlive`: this process does not end by itself while it waits.
 */
export function onceReadable(
  descriptor: number,
  callback: () => void,
  { keepAlive = false } = {},
): () => void {
  readiness ??= new Readiness();
  return readiness.watch(descriptor, { callback, keepAlive });
}

let readiness: Readiness | undefined;

interface Watch {
  descriptor: number;
  callback: () => void;
  keepAlive: boolean;
}

/**
 * An epoll set of our own, which the event loop watches as one descriptor: a thousand containers are two system calls each, and no handles
 * of the loop's. See epoll(7).
 */
class Readiness {
  readonly #set = systemCall('epoll_create1', EPOLL_CLOEXEC);
  readonly #watches = new Map<number, Watch>();
  readonly #event = Buffer.alloc(EVENT_SIZE);
  readonly #ready = Buffer.alloc(READY_AT_ONCE * EVENT_SIZE);
  readonly #handle: ReturnType<typeof koffi.node.poll>;
  #isDue = false;
  #lastToken = 0;
  #keepAlive = 0;

  constructor() {
    this.#handle = koffi.node.poll(this.#set, { readable: true }, () => {
      // From here alone promises would not go on: koffi calls us outside of Node's own callback handling.
      if (!this.#isDue) setImmediate(() => this.#takeReady());
      this.#isDue = true;
    });
    this.#handle.unref();
  }

  watch(descriptor: number, { callback, keepAlive }: Omit<Watch, 'descriptor'>): () => void {
    const token = this.#nextToken();
    this.#event.writeUInt32LE(EPOLL.IN | EPOLL.RDHUP, 0);
    this.#event.writeUInt32LE(token, TOKEN);
    systemCall('epoll_ctl', this.#set, EPOLL_CTL.ADD, descriptor, this.#event);
    this.#watches.set(token, { descriptor, callback, keepAlive });
    if (keepAlive && this.#keepAlive++ === 0) this.#handle.ref();
    return () => {
      this.#forget(token);
    };
  }

  #takeReady(): void {
    this.#isDue = false;
    const count = systemCall('epoll_wait', this.#set, this.#ready, READY_AT_ONCE, 0);
    const tokens = Array.from({ length: count }, (_, index) =>
      this.#ready.readUInt32LE(index * EVENT_SIZE + TOKEN),
    );
    const end = performance.now() + LONGEST_MILLISECONDS;
    for (const token of tokens) {
      // One may give up another's.
      this.#forget(token)?.callback();
      if (performance.now() > end) return;
    }
  }

  #forget(token: number): Watch | undefined {
    const watch = this.#watches.get(token);
    if (!watch) return undefined;
    this.#watches.delete(token);
    systemCall('epoll_ctl', this.#set, EPOLL_CTL.DEL, watch.descriptor, null);
    if (watch.keepAlive && --this.#keepAlive === 0) this.#handle.unref();
    return watch;
  }

  #nextToken(): number {
    do this.#lastToken = (this.#lastToken + 1) >>> 0;
    while (this.#watches.has(this.#lastToken));
    return this.#lastToken;
  }
}

const EPOLL_CLOEXEC = 0o2000000;
const EPOLL = { IN: 0x1, RDHUP: 0x2000 } as const;
const EPOLL_CTL = { ADD: 1, DEL: 2 } as const;
/** `struct epoll_event`, packed: the events, and 64 bits of ours. */
const EVENT_SIZE = 12;
const TOKEN = 4;
/** The rest is told again after timers and output have had their turn. */
const READY_AT_ONCE = 16;
const LONGEST_MILLISECONDS = 5;
