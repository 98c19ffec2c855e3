import type { Engine } from '../engine.ts';
import type { AppLogs } from '../logs/app-log.ts';

/** A place in a container's log: the time of the last line that was taken, and how many lines had it. */
export interface LogPlace {
  at: Date;
  count: number;
}

const RETRY_MS = 200;

/** Copies containers' output into their apps' logs. */
export class LogFollower {
  #engine: Engine;
  #logs: AppLogs;
  #signal: AbortSignal;

  constructor(options: { engine: Engine; logs: AppLogs; signal: AbortSignal }) {
    this.#engine = options.engine;
    this.#logs = options.logs;
    this.#signal = options.signal;
  }

  /**
   * Until the container's log ends; goes on after a restart of the runtime. `isOver`: nobody writes to it any more. `onLine` gets each
   * line, too.
   */
  async follow(
    source: { app: string; dyno: string; container: string },
    options: { from: LogPlace | undefined; isOver: () => boolean; onLine?: (text: string) => void },
  ): Promise<void> {
    let last = options.from;
    while (!this.#signal.aborted) {
      try {
        await this.#copy(source, last, (place, text) => {
          last = place;
          options.onLine?.(text);
        });
        if (options.isOver() || !(await this.#engine.inspect(source.container)).running) return;
      } catch (error) {
        if (/no such container/i.test(String(error))) return;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #copy(
    { app, dyno, container }: { app: string; dyno: string; container: string },
    from: LogPlace | undefined,
    onPlace: (place: LogPlace, text: string) => void,
  ): Promise<void> {
    let last = from;
    let skip = from?.count ?? 0;
    for await (const { at, text } of this.#engine.logs(container, from?.at, this.#signal)) {
      const isSame = last !== undefined && at.getTime() === last.at.getTime();
      if (isSame && skip > 0) {
        skip -= 1;
        continue;
      }
      if (last !== undefined && at < last.at) continue;
      last = { at, count: isSame ? last!.count + 1 : 1 };
      onPlace(last, text);
      this.#logs.append(app, { source: 'app', dyno, text, at });
    }
  }
}
