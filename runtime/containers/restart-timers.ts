import type { Container } from './container.ts';

/** When which container is started again. */
export class RestartTimers {
  readonly #restart: (container: Container) => void;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #isOpen = false;

  constructor(restart: (container: Container) => void) {
    this.#restart = restart;
  }

  /** Until then nothing is started; from then on what had been planned is, at its time. */
  open(containers: Container[]): void {
    this.#isOpen = true;
    for (const container of containers) this.schedule(container);
  }

  close(): void {
    this.#isOpen = false;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  /** If it is restarting. */
  schedule(container: Container): void {
    const { state } = container;
    if (!this.#isOpen || state.status !== 'restarting') return;
    const timer = setTimeout(
      () => {
        this.#timers.delete(container.id);
        this.#restart(container);
      },
      Math.max(0, Date.parse(state.restartAt) - Date.now()),
    );
    this.#timers.set(container.id, timer);
  }

  cancel(container: Container): void {
    clearTimeout(this.#timers.get(container.id));
    this.#timers.delete(container.id);
  }
}
