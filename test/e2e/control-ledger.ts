import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../fixtures/random.ts';
import type { Instance, Outcome } from './instance.ts';

/** One kind of thing that an operator does to an app, again and again: what was acknowledged, and what was asked for since. */
export abstract class Lane {
  readonly app: string;
  protected readonly paas: Instance;
  protected readonly random: Random;
  /** What the app was last acknowledged to be. */
  acknowledged = '';
  /** What it shall become: nobody has said yet whether it did. */
  asked: string | undefined;
  done = 0;
  stopped = false;

  constructor(paas: Instance, options: { app: string; random: Random }) {
    this.paas = paas;
    this.app = options.app;
    this.random = options.random;
  }

  /** Until control is killed under it. Throws for what was refused while control was there. */
  async run(isKilled: () => boolean): Promise<void> {
    while (!this.stopped) {
      this.asked = await this.choose();
      const outcome = await this.ask(this.asked);
      if (outcome.status !== 0 && !isKilled())
        throw new Error(`${this.app}: ${this.asked} was refused:\n${outcome.stdout}${outcome.stderr}`);
      if (outcome.status !== 0) return;
      this.acknowledged = this.asked;
      this.asked = undefined;
      this.done += 1;
    }
  }

  /** After the restart: what it is must be what was acknowledged, or what was asked for since. Returns what is wrong. */
  async settle(): Promise<string[]> {
    const problems = await this.halves();
    const now = await this.observe();
    if (now !== this.acknowledged && now !== this.asked)
      problems.push(`${this.app} is ${now}; acknowledged: ${this.acknowledged}, asked for: ${this.asked}`);
    [this.acknowledged, this.asked, this.stopped] = [now, undefined, false];
    return problems;
  }

  abstract begin(): Promise<void>;

  protected abstract choose(): Promise<string>;
  protected abstract ask(what: string): Promise<Outcome>;
  protected abstract observe(): Promise<string>;

  /** What would be half done, whatever was asked for. */
  protected halves(): Promise<string[]> {
    return this.halvesOf(this.app);
  }

  /** Whether a build may say that this release of it succeeded. */
  protected served(release: ReleaseFacts | undefined): boolean {
    return release?.succeeded ?? false;
  }

  protected async releases(app = this.app): Promise<ReleaseFacts[]> {
    return JSON.parse(await this.paas.paas(`releases -n 1000 -a ${app} --json`));
  }

  protected async halvesOf(app: string): Promise<string[]> {
    const { paas } = this;
    const problems: string[] = [];
    const json = async (command: string) => JSON.parse(await paas.paas(`${command} -a ${app} --json`));
    const releases = await this.releases(app);
    const current = releases.filter((release) => release.current);
    if (current.length !== 1 || !current[0]!.succeeded)
      problems.push(`${app} has ${current.length} current releases`);
    const config = JSON.stringify(await json('config'));
    const released = JSON.stringify((await json('releases:info')).config);
    if (config !== released) problems.push(`${app} has the config ${config}, its release ${released}`);
    for (const { id, state, release } of await json('builds -n 1000')) {
      if (state === 'queued' || state === 'building') problems.push(`build ${id} is ${state} for ever`);
      if (state === 'succeeded' && !this.served(releases.find(({ version }) => version === release)))
        problems.push(`build ${id} succeeded with v${release}, which never served`);
      const made = releases.find(({ build }) => build === id);
      if (state !== 'succeeded' && made?.succeeded)
        problems.push(`build ${id} is ${state}, v${made.version} served`);
    }
    const canary = releases.find((release) => release.canary)?.version;
    return [...problems, ...(await this.#dynos(app, { release: current[0]?.version, canary }))];
  }

  /** As many as wanted, all of the current release, up; and one at least of a canary, if there is one. */
  async #dynos(
    app: string,
    { release, canary }: { release: number | undefined; canary: number | undefined },
  ): Promise<string[]> {
    const { paas } = this;
    for (const end = Date.now() + 15_000; ; await sleep(50)) {
      const wanted = JSON.parse(await paas.paas(`ps:scale -a ${app} --json`));
      const dynos: { name: string; state: string; release: number }[] = JSON.parse(
        await paas.paas(`ps -a ${app} --json`),
      );
      const isCanary = ({ name }: { name: string }) => name.startsWith('canary.');
      const wrong = dynos.filter(
        (dyno) => dyno.state !== 'up' || dyno.release !== (isCanary(dyno) ? canary : release),
      );
      const formation = dynos.filter((dyno) => !isCanary(dyno));
      const isComplete = dynos.some(isCanary) === (canary !== undefined);
      const count = wanted.reduce((sum: number, { quantity }: { quantity: number }) => sum + quantity, 0);
      if (wrong.length === 0 && formation.length === count && isComplete) return [];
      if (Date.now() > end)
        return [
          `${app} wants ${count} dynos of v${release}, canary ${canary}, and has ${JSON.stringify(dynos)}`,
        ];
    }
  }
}

export interface ReleaseFacts {
  version: number;
  commit: string | null;
  build: number | null;
  current: boolean;
  succeeded: boolean;
  canary: boolean;
}

/** A pusher's repository, of which each commit answers with another text. */
export class Checkout {
  readonly #paas: Instance;
  readonly #app: string;
  readonly #folder: string;
  #count = 1;

  private constructor(paas: Instance, app: string, folder: string) {
    [this.#paas, this.#app, this.#folder] = [paas, app, folder];
  }

  static async make(paas: Instance, app: string): Promise<Checkout> {
    return new Checkout(paas, app, await paas.checkout('node-plain', app));
  }

  /** A text that was in no commit yet. */
  next(): string {
    this.#count += 1;
    return `code ${this.#count}`;
  }

  /** Returns its id. */
  async commit(code: string): Promise<string> {
    this.#paas.write(this.#folder, 'version.txt', code);
    await this.#paas.commit(this.#folder, code);
    return (await this.#paas.git(this.#folder, 'rev-parse', 'HEAD')).stdout.trim();
  }

  async push(ref: string): Promise<Outcome> {
    // Another port after each start of main.
    const url = `ssh://paas@127.0.0.1:${this.#paas.sshPort}/${this.#app}`;
    await this.#paas.git(this.#folder, 'remote', 'set-url', 'paas', url);
    return this.#paas.push(this.#folder, ref);
  }
}

/** Pushes of new code. */
export class DeployLane extends Lane {
  #checkout!: Checkout;

  async begin(): Promise<void> {
    this.#checkout = await Checkout.make(this.paas, this.app);
    this.acknowledged = await this.choose();
    await this.ask(this.acknowledged);
  }

  protected async choose(): Promise<string> {
    return this.#checkout.next();
  }

  protected async ask(what: string): Promise<Outcome> {
    await this.#checkout.commit(what);
    return this.#checkout.push('main');
  }

  protected async observe(): Promise<string> {
    return (await this.paas.get(this.app)).body.trim();
  }
}

/** Config changes, and rollbacks to one of them. */
export class ConfigLane extends Lane {
  #count = 0;

  async begin(): Promise<void> {
    await this.paas.deploy(await this.paas.checkout('node-plain', this.app));
    this.acknowledged = await this.choose();
    await this.ask(this.acknowledged);
  }

  protected async choose(): Promise<string> {
    this.#count += 1;
    return String(this.#count);
  }

  protected async ask(what: string): Promise<Outcome> {
    if (this.#count > 1 && this.random.chance(0.5)) {
      const releases: { version: number; current: boolean; succeeded: boolean }[] = JSON.parse(
        (await this.paas.ssh(`releases -n 4 -a ${this.app} --json`)).stdout || '[]',
      );
      const earlier = releases.filter(
        ({ current, succeeded, version }) => succeeded && !current && version > 1,
      );
      const target = earlier.length > 0 ? this.random.pick(earlier).version : undefined;
      if (target !== undefined) {
        const info = await this.paas.ssh(`releases:info v${target} -a ${this.app} --json`);
        if (info.status !== 0) return info;
        this.asked = JSON.parse(info.stdout).config.COLOUR;
        return this.paas.ssh(`rollback v${target} -a ${this.app}`);
      }
    }
    return this.paas.ssh(`config:set COLOUR=${what} -a ${this.app}`);
  }

  protected async observe(): Promise<string> {
    return JSON.parse(await this.paas.paas(`config -a ${this.app} --json`)).COLOUR;
  }
}

/** Scales up and down. */
export class ScaleLane extends Lane {
  async begin(): Promise<void> {
    await this.paas.deploy(await this.paas.checkout('node-plain', this.app));
    this.acknowledged = '1';
  }

  protected async choose(): Promise<string> {
    return String(1 + ((Number(this.acknowledged) + this.random.below(2)) % 3));
  }

  protected ask(what: string): Promise<Outcome> {
    return this.paas.ssh(`ps:scale web=${what} -a ${this.app}`);
  }

  protected async observe(): Promise<string> {
    const [{ quantity }] = JSON.parse(await this.paas.paas(`ps:scale -a ${this.app} --json`));
    return String(quantity);
  }
}
