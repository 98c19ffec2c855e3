import { BuildpackError } from '../../buildpacks/buildpack.ts';
import { type HealthCheck, parseHealthCheck } from '../../buildpacks/health-checks.ts';
import type { Activity } from '../activity.ts';
import { quote } from '../model/app-name.ts';
import { PaasError } from '../model/paas-error.ts';
import { spanText } from '../model/span-text.ts';
import type { CheckResult, Checks, CheckView, WantedCheck } from '../platform/checks.ts';
import type { ReleaseManager } from '../release-manager.ts';
import type { CheckStore } from '../store/check-store.ts';
import type { DynoChecks } from './dyno-checks.ts';
import type { DynoManager } from './dyno-manager.ts';

const MOST = 20;
const LONGEST_BOOT = 3600;

export interface AppChecksOptions {
  releases: ReleaseManager;
  dynos: DynoManager;
  checks: DynoChecks;
  store: CheckStore;
  activity: Activity;
  /** Seconds, where an app has none of its own. */
  bootTimeout: number;
}

/** The health checks of an app: those of its current release, and those that were set over them. */
export class AppChecks implements Checks {
  #options: AppChecksOptions;

  constructor(options: AppChecksOptions) {
    this.#options = options;
  }

  list(app: string): CheckView[] {
    const released = this.#options.releases.current(app)?.checks ?? [];
    return withSet(released, this.#options.store.list(app));
  }

  async run(app: string, signal: AbortSignal): Promise<CheckResult[]> {
    const { dynos, checks } = this.#options;
    this.list(app);
    const web = dynos.list(app).filter((dyno) => dyno.isWeb && dyno.state === 'up');
    if (web.length === 0)
      throw new PaasError('conflict', `${app} has no web dyno that is up. \`paas ps -a ${app}\` says why.`);
    const results = await Promise.all(
      web.map(async (dyno) =>
        (await checks.once(dyno, signal)).map((result) => ({ dyno: dyno.name, ...result })),
      ),
    );
    return results.flat();
  }

  set(app: string, wanted: WantedCheck, user: string): CheckView[] {
    const { store } = this.#options;
    this.list(app);
    const check = parse(wanted);
    const present = store.list(app);
    if (present.length >= MOST && !present.some(({ name }) => name === check.name))
      throw new PaasError('conflict', `${app} has ${MOST} checks already. checks:unset takes one away.`);
    store.set(app, check);
    return this.#changed(app, { user, action: 'checks:set', text: `Check ${quote(check.name)} set` });
  }

  unset(app: string, name: string, user: string): CheckView[] {
    this.list(app);
    if (!this.#options.store.remove(app, name)) {
      const what = `${app} has no check ${quote(name)} that was set by command`;
      throw new PaasError('not_found', `${what}. \`paas checks -a ${app}\` lists those there are.`);
    }
    return this.#changed(app, { user, action: 'checks:unset', text: `Check ${quote(name)} unset` });
  }

  bootTimeout(app: string): number {
    this.list(app);
    return this.#options.store.bootTimeout(app) ?? this.#options.bootTimeout;
  }

  setBootTimeout(app: string, seconds: number | undefined, user: string): void {
    this.list(app);
    if (seconds !== undefined && seconds > LONGEST_BOOT)
      throw new PaasError('invalid', `A web dyno can have at most ${LONGEST_BOOT / 60} minutes to boot.`);
    this.#options.store.setBootTimeout(app, seconds);
    const text = `Boot timeout ${spanText(this.bootTimeout(app))}`;
    this.#options.activity.note({ app, user, action: 'checks:boot-timeout', text });
  }

  #changed(app: string, event: { user: string; action: string; text: string }): CheckView[] {
    this.#options.activity.note({ app, ...event });
    this.#options.dynos.checkAnew(app);
    return this.list(app);
  }
}

/** Those of a release, each replaced by what was set under its name, and the others that were set. Pure. */
export function withSet(released: HealthCheck[], set: HealthCheck[]): CheckView[] {
  const names = new Set(set.map(({ name }) => name));
  return [
    ...released
      .filter(({ name }) => !names.has(name))
      .map((check) => ({ ...check, source: 'app.json' as const })),
    ...set.map((check) => ({ ...check, source: 'command' as const })),
  ];
}

function parse(wanted: WantedCheck): HealthCheck {
  try {
    return parseHealthCheck({ ...wanted }, (name) => `--${name === 'initialDelay' ? 'delay' : name}`);
  } catch (error) {
    if (error instanceof BuildpackError) throw new PaasError('invalid', error.message, { cause: error });
    throw error;
  }
}
