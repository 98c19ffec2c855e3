import { PaasError } from '../model/paas-error.ts';
import type { CheckResult, Checks, CheckView } from '../platform.ts';
import type { ReleaseManager } from '../release-manager.ts';
import type { DynoChecks } from './dyno-checks.ts';
import type { DynoManager } from './dyno-manager.ts';

/** The health checks of an app's current release. */
export class AppChecks implements Checks {
  #options: { releases: ReleaseManager; dynos: DynoManager; checks: DynoChecks };

  constructor(options: { releases: ReleaseManager; dynos: DynoManager; checks: DynoChecks }) {
    this.#options = options;
  }

  list(app: string): CheckView[] {
    return this.#options.releases.current(app)?.checks ?? [];
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
}
