import { setTimeout as sleep } from 'node:timers/promises';
import type { HealthCheck } from '../../buildpacks/health-checks.ts';
import type { Release } from '../model/release.ts';
import { type Dyno, WEB_PORT } from './dyno.ts';
import { runHttpCheck } from './http-check.ts';

export interface DynoChecksOptions {
  /** The host name under which an app's checks come. */
  hostOf: (app: string) => string;
  /** Of a release, with what was set over them. */
  checksOf: (release: Release) => HealthCheck[];
  say: (dyno: Dyno, text: string) => void;
}

/** What happens to a dyno whose checks pass or fail while it runs. */
export interface CheckOutcome {
  /** It is ready now, or is not any more. */
  onReadiness: () => void;
  /** It hangs: the reason in words. */
  onDead: (dyno: Dyno, reason: string) => void;
}

/** Carries out the health checks that a release has for its web dynos. */
export class DynoChecks {
  #options: DynoChecksOptions;

  constructor(options: DynoChecksOptions) {
    this.#options = options;
  }

  /** The startup checks, one after the other. Why one failed, in words; undefined: all passed, or `signal` is aborted. */
  async startUp(dyno: Dyno, signal: AbortSignal): Promise<string | undefined> {
    for (const check of this.#checksOf(dyno, 'startup')) {
      const problem = await this.#until(check, dyno, signal);
      if (signal.aborted) return undefined;
      if (problem !== undefined) return `${check.name} (${check.path}): ${problem}`;
    }
    return undefined;
  }

  /** The readiness and liveness checks, until `signal` is aborted. */
  watch(dyno: Dyno, outcome: CheckOutcome, signal: AbortSignal): void {
    const readiness = this.#checksOf(dyno, 'readiness');
    for (const name of dyno.unready.keys())
      if (!readiness.some((check) => check.name === name)) dyno.unready.delete(name);
    for (const check of readiness) {
      void this.#repeat({ check, dyno, signal }, (problem) => {
        const { ready } = dyno;
        const failed = dyno.unready.has(check.name);
        if (problem === undefined) dyno.unready.delete(check.name);
        else dyno.unready.set(check.name, problem);
        if (failed === (problem !== undefined)) return;
        this.#options.say(dyno, failed ? `${check.name} passes again` : sentence(check, problem!));
        if (dyno.ready !== ready) outcome.onReadiness();
      });
    }
    for (const check of this.#checksOf(dyno, 'liveness')) {
      void this.#repeat({ check, dyno, signal }, (problem) => {
        if (problem === undefined || signal.aborted) return;
        this.#options.say(dyno, sentence(check, problem));
        outcome.onDead(dyno, `failed its liveness check: ${problem}`);
      });
    }
  }

  /** Each check once, now. */
  async once(
    dyno: Dyno,
    signal: AbortSignal,
  ): Promise<{ check: HealthCheck; problem: string | undefined }[]> {
    return Promise.all(
      this.#options
        .checksOf(dyno.release)
        .map(async (check) => ({ check, problem: await this.#ask(check, dyno, signal) })),
    );
  }

  /** As often as it may fail; what the last one said. */
  async #until(check: HealthCheck, dyno: Dyno, signal: AbortSignal): Promise<string | undefined> {
    await pause(check.initialDelay, signal);
    for (let attempt = 1; ; attempt += 1) {
      const problem = await this.#ask(check, dyno, signal);
      if (problem === undefined || signal.aborted || attempt >= check.attempts) return problem;
      this.#options.say(dyno, `${check.name}: attempt ${attempt} of ${check.attempts} failed: ${problem}`);
      await pause(check.wait, signal);
    }
  }

  /** Tells success at once, and failure when it came as often in a row as it may. */
  async #repeat(
    { check, dyno, signal }: { check: HealthCheck; dyno: Dyno; signal: AbortSignal },
    tell: (problem: string | undefined) => void,
  ): Promise<void> {
    await pause(check.initialDelay, signal);
    for (let failures = 0; !signal.aborted; ) {
      const problem = await this.#ask(check, dyno, signal);
      failures = problem === undefined ? 0 : failures + 1;
      if (signal.aborted) return;
      if (problem === undefined || failures >= check.attempts) tell(problem);
      await pause(check.wait, signal);
    }
  }

  #checksOf(dyno: Dyno, type: HealthCheck['type']): HealthCheck[] {
    return dyno.isWeb ? this.#options.checksOf(dyno.release).filter((check) => check.type === type) : [];
  }

  #ask(check: HealthCheck, dyno: Dyno, signal: AbortSignal): Promise<string | undefined> {
    const address = dyno.container?.address;
    if (address === undefined) return Promise.resolve('it has no address');
    const host = this.#options.hostOf(dyno.app);
    return runHttpCheck(check, { address, port: WEB_PORT, host }, signal);
  }
}

function sentence(check: HealthCheck, problem: string): string {
  return `${check.name} failed ${check.attempts} ${check.attempts === 1 ? 'time' : 'times'}: ${problem}`;
}

async function pause(seconds: number, signal: AbortSignal): Promise<void> {
  await sleep(seconds * 1000, undefined, { signal }).catch(() => {});
}
