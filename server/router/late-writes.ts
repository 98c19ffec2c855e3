/** Something that has a write to send. */
export interface LateWriter {
  sendLate(): void;
}

/**
 * The small writes of one turn of the event loop, sent right behind each other: whoever reads them on this machine is woken once for many,
 * and waking is what costs most of a write.
 */
export class LateWrites {
  readonly #writers: LateWriter[] = [];
  #isPlanned = false;

  /** Has it send at the end of the turn, or sooner. */
  add(writer: LateWriter): void {
    // Those who read have something to do meanwhile.
    if (this.#writers.push(writer) >= MOST) this.#send();
    else if (!this.#isPlanned) this.#plan();
  }

  #plan(): void {
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.#send();
    });
  }

  #send(): void {
    const writers = this.#writers;
    for (let i = 0; i < writers.length; i++) writers[i]!.sendLate();
    writers.length = 0;
  }
}

const MOST = 32;
