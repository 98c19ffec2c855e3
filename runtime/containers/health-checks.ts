import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from './container.ts';
import { publishContainerEvent } from './container-events.ts';
import type { ContainerStore } from './container-store.ts';
import type { EventLog } from './events.ts';
import {
  afterProbe,
  type Health,
  type HealthCheck,
  healthCheck,
  isInStartPeriod,
  type Probe,
  STARTING,
} from './health.ts';
import { isAlive } from './state.ts';

export interface HealthChecksOptions {
  store: ContainerStore;
  events: EventLog;
  /** Runs a command in the container, for so many milliseconds at most. */
  probe: (container: Container, check: HealthCheck) => Promise<Probe>;
}

/** Looks at running containers by their health checks, one probe after the other. */
export class HealthChecks {
  readonly #options: HealthChecksOptions;
  readonly #watched = new Map<string, AbortController>();

  constructor(options: HealthChecksOptions) {
    this.#options = options;
  }

  /** Of a container that has just been started. */
  begin(container: Container): void {
    if (!healthCheck(container.config.process.Healthcheck)) return;
    this.#know(container, STARTING);
    this.resume(container);
  }

  /** Goes on looking at one that an earlier runtime started, or that was paused. */
  resume(container: Container): void {
    const check = healthCheck(container.config.process.Healthcheck);
    if (!check) return;
    this.suspend(container);
    container.health ??= STARTING;
    const controller = new AbortController();
    this.#watched.set(container.id, controller);
    this.#watch(container, check, controller.signal).catch((error) => {
      if (!controller.signal.aborted) console.error(`The health check of ${container.id}:`, error);
    });
  }

  /** Of one that is paused. */
  suspend(container: Container): void {
    this.#watched.get(container.id)?.abort();
    this.#watched.delete(container.id);
  }

  /** Of one that has ended: as in Docker, it is not well any more. */
  end(container: Container): void {
    this.suspend(container);
    if (container.health) container.health = { ...container.health, status: 'unhealthy' };
  }

  close(): void {
    for (const controller of this.#watched.values()) controller.abort();
    this.#watched.clear();
  }

  async #watch(container: Container, check: HealthCheck, signal: AbortSignal): Promise<void> {
    for (;;) {
      const pause = isStarting(container, check) ? check.startInterval : check.interval;
      await sleep(pause, undefined, { signal, ref: false });
      const inStartPeriod = isStarting(container, check);
      const probe = await this.#options.probe(container, check);
      if (signal.aborted) return;
      this.#know(container, afterProbe(container.health ?? STARTING, probe, { check, inStartPeriod }));
    }
  }

  /** A new runtime has to know the status, not every probe. */
  #know(container: Container, health: Health): void {
    const before = container.health?.status;
    container.health = health;
    if (health.status === before) return;
    this.#save(container, health);
    if (health.status === 'starting') return;
    publishContainerEvent(this.#options.events, container, { action: `health_status: ${health.status}` });
  }

  #save(container: Container, health: Health): void {
    try {
      this.#options.store.saveHealth(container.id, { ...health, log: [] });
    } catch (error) {
      // On a full disk life goes on; the next runtime begins with what it was before.
      console.error(`Could not save the health of ${container.id}:`, error);
    }
  }
}

function isStarting(container: Container, check: HealthCheck): boolean {
  const { state, health = STARTING } = container;
  return isAlive(state) && isInStartPeriod(check, { health, startedAt: state.startedAt, time: new Date() });
}
