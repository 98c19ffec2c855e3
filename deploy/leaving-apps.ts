import { PaasError } from './model/paas-error.ts';

/** Apps that are being destroyed, for which nothing may begin any more. */
export class LeavingApps {
  /** How many are at it: an app may be destroyed twice at once. */
  #names = new Map<string, number>();

  /** Throws `conflict` where an app is being destroyed. */
  check(app: string): void {
    if (this.#names.has(app)) throw new PaasError('conflict', `${app} is being destroyed.`);
  }

  async during(app: string, work: () => Promise<void>): Promise<void> {
    this.#names.set(app, (this.#names.get(app) ?? 0) + 1);
    try {
      await work();
    } finally {
      const others = this.#names.get(app)! - 1;
      if (others === 0) this.#names.delete(app);
      else this.#names.set(app, others);
    }
  }
}
