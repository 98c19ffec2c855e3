import { MOST_DYNOS } from '../../buildpacks/app-json.ts';
import type { Activity } from '../activity.ts';
import type { KeyedMutex } from '../model/mutex.ts';
import { PaasError } from '../model/paas-error.ts';
import type { Release } from '../model/release.ts';
import { unknownType } from '../model/unknown-type.ts';
import type { RunView } from '../platform/runs.ts';
import type { Dynos, DynoView, ProcessTypeView, ScaleChange } from '../platform.ts';
import type { ReleaseManager } from '../release-manager.ts';
import type { AppStore } from '../store/app-store.ts';
import type { DynoManager, RunningCanary } from './dyno-manager.ts';

export interface FormationsOptions {
  store: AppStore;
  releases: ReleaseManager;
  dynos: DynoManager;
  activity: Activity;
  lock: KeyedMutex;
  canaryOf: (app: string) => RunningCanary | undefined;
  /** The one-off dynos that run. */
  runs: (app: string) => RunView[];
  /** Its dynos are new, or more: nobody may have come for long, but that is no reason to let them go. */
  onStarted: (app: string) => void;
}

/** How many dynos of each process type an app has, and the commands that change it. */
export class Formations implements Dynos {
  #options: FormationsOptions;

  constructor(options: FormationsOptions) {
    this.#options = options;
  }

  list(app: string): DynoView[] {
    this.#options.store.find(app);
    return [
      ...this.#options.dynos.list(app).map((dyno) => dyno.view()),
      ...this.#options.runs(app).map(runDyno),
    ];
  }

  formation(app: string): ProcessTypeView[] {
    const release = this.#options.releases.current(app);
    return release ? this.#view(release) : [];
  }

  async scale(app: string, changes: ScaleChange[], user: string): Promise<ProcessTypeView[]> {
    return this.#options.lock.run(app, async () => {
      const release = this.#options.releases.require(app);
      const quantities = applyChanges(this.#options.releases.quantities(release), changes);
      this.#options.store.setFormation(app, quantities);
      const text = changes.map((change) => `${change.type}@${quantities[change.type]}`).join(' ');
      this.#options.activity.note({ app, user, action: 'ps:scale', text: `Scaled to ${text}` });
      await this.#options.dynos.scale({ release, quantities, canary: this.#options.canaryOf(app) });
      this.#options.onStarted(app);
      return this.#view(release);
    });
  }

  async restart(app: string, target: string | undefined, user: string): Promise<void> {
    await this.#options.lock.run(app, async () => {
      this.#options.releases.require(app);
      await this.#options.dynos.restart(app, target);
      this.#options.onStarted(app);
      const text = `Restarted ${target ?? 'all dynos'}`;
      this.#options.activity.note({ app, user, action: 'ps:restart', text });
    });
  }

  #view(release: Release): ProcessTypeView[] {
    const quantities = this.#options.releases.quantities(release);
    return Object.entries(quantities).map(([type, quantity]) => ({
      type,
      quantity,
      command: release.processes[type] ?? '',
    }));
  }
}

function runDyno({ name, command, since, release }: RunView): DynoView {
  const [type = '', number] = name.split('.');
  return { name, type, number: Number(number), command, state: 'up', since, release, reason: undefined };
}

/** Pure. Throws `invalid` for an unknown type or a quantity outside 0 to 100; then nothing is applied. */
export function applyChanges(
  quantities: Record<string, number>,
  changes: ScaleChange[],
): Record<string, number> {
  const result = { ...quantities };
  if (changes.length === 0) throw new PaasError('invalid', 'Nothing to scale. Usage: scale web=2 worker+1');
  for (const { type, operator, quantity } of changes) {
    const present = Object.hasOwn(result, type) ? result[type]! : undefined;
    if (present === undefined) throw unknownType(type, Object.keys(result));
    const wanted = operator === '=' ? quantity : operator === '+' ? present + quantity : present - quantity;
    if (!Number.isInteger(wanted) || wanted < 0 || wanted > MOST_DYNOS) {
      throw new PaasError(
        'invalid',
        `${type} cannot have ${wanted} dynos: it must be a whole number from 0 to ${MOST_DYNOS}.`,
      );
    }
    result[type] = wanted;
  }
  return result;
}
