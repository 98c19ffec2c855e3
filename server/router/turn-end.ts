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
 */
export class TurnEnd {
  readonly #writers: LateWriter[] = [];
  #closed: Closed[] = [];
  #isPlanned = false;

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
