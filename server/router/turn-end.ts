/** Something that has a write to send. */
export interface LateWriter {
  sendLate(): void;
}

/** Something that was closed, whose user is to hear of it. */
export interface Closed {
  onClose(): void;
}

/**
 * What is done at the end of the event loop's turn.
 *
 * Small writes are sent right behind each other: whoever reads them on this machine is woken once for many, and waking is what costs most
 * of a write. And those who closed something hear that it is over: by a handle's own callback that would cost a way into JavaScript each.
 *
 * It also keeps the turns short. While 1,024 connections have something to read, libuv goes on reading in the same turn, 48 times over
 * (uv__io_poll). New connections, to clients and to dynos, are not looked at before the turn's end, a second later; a signal ends it.
 */
export class TurnEnd {
  readonly #writers: LateWriter[] = [];
  #closed: Closed[] = [];
  #isPlanned = false;
  #reads = 0;

  /** Something was read. */
  noteRead(): void {
    if (++this.#reads !== MOST_READS) return;
    this.#plan();
    if (process.listenerCount(SIGNAL) === 0) process.on(SIGNAL, () => {});
    process.kill(process.pid, SIGNAL);
  }

  /** Has it send then, or sooner. */
  send(writer: LateWriter): void {
    // Those who read have something to do meanwhile.
    if (this.#writers.push(writer) >= MOST) this.#sendAll();
    else this.#plan();
  }

  /** Has it tell then that it was closed. */
  tell(closed: Closed): void {
    this.#closed.push(closed);
    this.#plan();
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => this.#end());
  }

  #end(): void {
    this.#sendAll();
    // Whoever hears of it may close something else: that is planned anew.
    this.#isPlanned = false;
    this.#reads = 0;
    const closed = this.#closed;
    if (closed.length === 0) return;
    this.#closed = [];
    for (const one of closed) one.onClose();
  }

  #sendAll(): void {
    const writers = this.#writers;
    for (let i = 0; i < writers.length; i++) writers[i]!.sendLate();
    writers.length = 0;
  }
}

const MOST = 32;
/** Half of what one call of epoll_wait brings. */
const MOST_READS = 512;
/** Nobody else sends it, and it does nothing where nobody expects it. */
const SIGNAL = 'SIGURG';
