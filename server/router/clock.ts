/** Time as often as a router asks for it. */
export class Clock {
  /** performance.now() of the last sweep: what limits are reckoned by. */
  now = 0;
  /** For Date fields. */
  date = '';
  #stamp = 0;
  #stampText = '0';

  constructor() {
    this.tick();
  }

  tick(): void {
    this.now = performance.now();
    this.date = new Date().toUTCString();
  }

  /** Milliseconds since the epoch, in digits. */
  stamp(): string {
    const stamp = Date.now();
    if (stamp !== this.#stamp) {
      this.#stamp = stamp;
      this.#stampText = String(stamp);
    }
    return this.#stampText;
  }
}
