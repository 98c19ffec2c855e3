import { randomBytes } from 'node:crypto';
import { EventEmitter, on } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { PaasError } from '../../../deploy/model/paas-error.ts';
import type { KeyView, Session } from '../../../deploy/platform/access.ts';
import type {
  AppState,
  AppSummary,
  BuildState,
  BuildView,
  DynoView,
  LogLine,
  LogQuery,
  Platform,
  ProcessTypeView,
  ReleaseView,
  ScaleChange,
} from '../../../deploy/platform.ts';
import { fewMetrics, noCertificates, noHttps, noPorts, noRedirects, noVisitorRules } from '../no-visitors.ts';
import { noWebhooks } from '../no-webhooks.ts';

interface App {
  name: string;
  createdAt: Date;
  formation: ProcessTypeView[];
  dynos: DynoView[];
  releases: ReleaseView[];
  config: Record<string, string>;
  domains: string[];
  log: LogLine[];
}

interface Build {
  view: BuildView;
  text: string;
}

/** A platform without containers: as the real one behaves towards its front ends, kept in memory. */
export class MemoryPlatform implements Platform {
  /** How long a dyno takes to boot, in ms. */
  bootTime = 0;
  /** Every change that was made, e.g. `scale blog web=3 by alice`. */
  readonly calls: string[] = [];
  readonly loginTokens = new Map<string, string>();
  readonly openSessions = new Map<string, Session>();
  readonly #apps = new Map<string, App>();
  readonly #builds: Build[] = [];
  #keys: KeyView[] = [];
  readonly #events = new EventEmitter().setMaxListeners(0);

  /** Adds an app with a web dyno and two releases. */
  addRunningApp(name: string): App {
    this.apps.create(name, 'alice');
    const app = this.#app(name);
    app.formation = [
      { type: 'web', command: 'npm start', quantity: 1 },
      { type: 'worker', command: 'node worker.js', quantity: 0 },
    ];
    this.#release(app, { description: 'Deploy 193d1419', commit: '193d1419aa', buildId: undefined });
    this.#release(app, { description: 'Deploy 77aa0c52', commit: '77aa0c52bb', buildId: undefined });
    app.dynos = [this.#dyno(app, 'web', 1)];
    return app;
  }

  writeLog(name: string, line: Partial<LogLine> & { text: string }): void {
    const full = { at: new Date(), source: 'app', dyno: 'web.1', ...line };
    this.#app(name).log.push(full);
    this.#events.emit(`log ${name}`, full);
  }

  crash(name: string, reason: string): void {
    const dyno = this.#app(name).dynos[0]!;
    Object.assign(dyno, { state: 'crashed', reason, since: new Date() });
  }

  startBuild(name: string, state: BuildState = 'building'): Build {
    const build: Build = {
      text: '',
      view: {
        id: this.#builds.length + 1,
        app: name,
        state,
        user: 'alice',
        commit: '77aa0c52bb',
        createdAt: new Date(),
        finishedAt: undefined,
        reason: undefined,
        release: undefined,
        ahead: undefined,
        stages: [],
      },
    };
    this.#builds.push(build);
    return build;
  }

  writeBuild(build: Build, text: string): void {
    build.text += text;
    this.#events.emit(`build ${build.view.id}`, text);
  }

  endBuild(build: Build, result: Partial<BuildView>): void {
    Object.assign(build.view, { finishedAt: new Date() }, result);
    this.#events.emit(`build ${build.view.id}`, undefined);
  }

  readonly apps: Platform['apps'] = {
    list: () => [...this.#apps.values()].map((app) => this.#summary(app)),
    find: (name) => this.#summary(this.#app(name)),
    create: (name, user) => {
      this.calls.push(`create ${name} by ${user}`);
      if (!/^[a-z][a-z0-9-]*$/.test(name)) {
        throw new PaasError(
          'invalid',
          `The app name ${JSON.stringify(name)} may have only lower-case letters.`,
        );
      }
      if (this.#apps.has(name)) throw new PaasError('conflict', `The app name "${name}" is taken.`);
      const empty = { formation: [], dynos: [], releases: [], config: {}, domains: [], log: [] };
      this.#apps.set(name, { name, createdAt: new Date(), ...empty });
      return this.#summary(this.#app(name));
    },
    destroy: async (name, user) => {
      this.calls.push(`destroy ${name} by ${user}`);
      this.#apps.delete(this.#app(name).name);
    },
  };

  readonly dynos: Platform['dynos'] = {
    list: (name) => [...this.#app(name).dynos],
    formation: (name) => this.#app(name).formation.map((type) => ({ ...type })),
    scale: async (name, changes, user) => {
      const app = this.#app(name);
      this.calls.push(`scale ${name} ${changes.map(termOf).join(' ')} by ${user}`);
      for (const { type, quantity } of changes) {
        if (quantity > 100)
          throw new PaasError('invalid', `${type} cannot be scaled to ${quantity}: at most 100.`);
        const entry = app.formation.find((candidate) => candidate.type === type);
        if (!entry) throw new PaasError('invalid', `There is no process type "${type}".`);
        entry.quantity = quantity;
        await this.#boot(app, type, quantity);
      }
      return this.dynos.formation(name);
    },
    restart: async (name, target, user) => {
      this.calls.push(`restart ${name} ${target ?? '(all)'} by ${user}`);
      this.#app(name);
    },
  };

  readonly config: Platform['config'] = {
    all: (name) => ({ ...this.#app(name).config }),
    set: async (name, vars, user) => {
      const app = this.#app(name);
      this.calls.push(`set ${name} ${JSON.stringify(vars)} by ${user}`);
      for (const key of Object.keys(vars)) {
        if (!/^[A-Za-z_]\w*$/.test(key)) {
          throw new PaasError('invalid', `${JSON.stringify(key)} is no name for a config var.`);
        }
      }
      Object.assign(app.config, vars);
      return app.releases.length
        ? this.#release(app, { description: `Set ${Object.keys(vars)}` })
        : undefined;
    },
    unset: async (name, names, user) => {
      const app = this.#app(name);
      this.calls.push(`unset ${name} ${names} by ${user}`);
      for (const key of names) delete app.config[key];
      return app.releases.length ? this.#release(app, { description: `Unset ${names}` }) : undefined;
    },
  };

  readonly releases: Platform['releases'] = {
    list: (name) => this.#app(name).releases.toReversed(),
    info: (name, version) => {
      const release = this.#app(name).releases.find((view) =>
        version ? view.version === version : view.current,
      );
      if (!release) throw new PaasError('not_found', `${name} has no release v${version}.`);
      return {
        ...release,
        image: 'sha256:12',
        processes: { web: 'npm start' },
        config: { A: '1' },
        output: 'migrated\n',
      };
    },
    rollback: async (name, version, user) => {
      const app = this.#app(name);
      this.calls.push(`rollback ${name} v${version} by ${user}`);
      if (!app.releases.some((release) => release.version === version)) {
        throw new PaasError('not_found', `${name} has no release v${version}.`);
      }
      await setTimeout(this.bootTime);
      return this.#release(app, { description: `Rollback to v${version}` });
    },
  };

  readonly builds: Platform['builds'] = {
    list: (name) => {
      const all = this.#builds.map(({ view }) => ({ ...view })).toReversed();
      return name === undefined ? all : all.filter((view) => view.app === name);
    },
    find: (id) => ({ ...this.#build(id).view }),
    output: (id, options) => this.#output(this.#build(id), options),
    cancel: async (id, user) => {
      this.calls.push(`cancel ${id} by ${user}`);
      this.endBuild(this.#build(id), { state: 'cancelled' });
    },
  };

  redirects: Platform['redirects'] = { ...noRedirects };
  webhooks: Platform['webhooks'] = { ...noWebhooks };
  ports: Platform['ports'] = noPorts;
  visitors: Platform['visitors'] = { ...noVisitorRules };
  certificates: Platform['certificates'] = noCertificates;
  https: Platform['https'] = noHttps;
  metrics: Platform['metrics'] = fewMetrics;
  domains: Platform['domains'] = {
    list: (name) => [
      { hostname: `${name}.localhost`, path: '', strip: false, passthrough: undefined, builtIn: true },
      ...this.#app(name).domains.map((hostname) => ({
        hostname,
        path: '',
        strip: false,
        passthrough: undefined,
        builtIn: false,
      })),
    ],
    add: async (name, hostname, { user }) => {
      this.calls.push(`domain ${name} ${hostname} by ${user}`);
      if (!/^[a-z0-9.-]+$/.test(hostname)) {
        throw new PaasError('invalid', `${JSON.stringify(hostname)} is no host name.`);
      }
      this.#app(name).domains.push(hostname);
    },
    remove: async (name, hostname, user) => {
      this.calls.push(`undomain ${name} ${hostname} by ${user}`);
      const app = this.#app(name);
      app.domains = app.domains.filter((other) => other !== hostname);
    },
  };

  readonly keys: Platform['keys'] = {
    list: () => [...this.#keys],
    add: (user, publicKey, by) => {
      this.calls.push(`key ${user} by ${by}`);
      if (!publicKey.startsWith('ssh-')) throw new PaasError('invalid', 'That is no public key.');
      const [, , comment = ''] = publicKey.split(' ');
      const fingerprint = `SHA256:${randomBytes(32).toString('base64').slice(0, 43)}`;
      const key = { user, fingerprint, comment, createdAt: new Date(), lastUsedAt: undefined };
      this.#keys.push(key);
      return key;
    },
    remove: (fingerprint, by) => {
      this.calls.push(`unkey ${fingerprint} by ${by}`);
      const removed = this.#keys.filter((key) => key.fingerprint === fingerprint);
      this.#keys = this.#keys.filter((key) => !removed.includes(key));
      return removed;
    },
    authenticate: () => undefined,
    touch: () => undefined,
  };

  readonly sessions: Platform['sessions'] = {
    createLoginToken: (user) => {
      const token = randomBytes(32).toString('base64url');
      this.loginTokens.set(token, user);
      return token;
    },
    peekLoginToken: (token) => {
      const user = this.loginTokens.get(token);
      return user === undefined ? undefined : { user };
    },
    redeemLoginToken: (token) => {
      const user = this.loginTokens.get(token);
      if (user === undefined) return undefined;
      this.loginTokens.delete(token);
      const id = randomBytes(32).toString('base64url');
      const session = { user, csrf: randomBytes(32).toString('base64url') };
      this.openSessions.set(id, session);
      return { id, session };
    },
    find: (id) => this.openSessions.get(id),
    end: (id) => void this.openSessions.delete(id),
  };

  readonly logs: Platform['logs'] = { read: (name, query) => this.#readLog(this.#app(name), query) };

  readonly runs: Platform['runs'] = {
    start: () => Promise.reject(new Error('not here')),
    detach: () => Promise.reject(new Error('not here')),
    list: () => [],
    stop: () => Promise.reject(new Error('not here')),
  };

  readonly events: Platform['events'] = { read: async function* () {} };
  readonly idle: Platform['idle'] = { after: () => undefined, awakeFor: () => [], set: async () => {} };
  readonly previews: Platform['previews'] = {
    settings: () => undefined,
    list: () => [],
    on: () => {},
    off: async () => {},
  };

  readonly pipelines = {} as Platform['pipelines'];
  canary: ReturnType<Platform['canaries']['find']> = {
    ...{ share: undefined, release: undefined, requests: 0, failed: 0 },
  };
  readonly canaries: Platform['canaries'] = {
    find: () => this.canary,
    set: async (name, share, user) => void this.calls.push(`canary ${name} ${share} by ${user}`),
    promote: async (name, user) => this.calls.push(`promote ${name} by ${user}`),
    abort: async (name, user) => this.calls.push(`abort ${name} by ${user}`),
  };

  healthChecks: ReturnType<Platform['checks']['list']> = [];
  readonly checks: Platform['checks'] = {
    list: () => this.healthChecks,
    run: async (name) => {
      this.calls.push(`check ${name}`);
      return this.healthChecks.map((check) => ({ dyno: 'web.1', check, problem: 'status 500' }));
    },
    set: () => [],
    unset: () => [],
    bootTimeout: () => 60,
    setBootTimeout: () => {},
  };
  cronJobs: ReturnType<Platform['cron']['list']> = [];
  readonly cron: Platform['cron'] = {
    list: () => this.cronJobs,
    add: (name, entry, user) => {
      this.calls.push(`cron ${name} ${entry.schedule} ${entry.command} by ${user}`);
      if (entry.schedule === 'soon') throw new PaasError('invalid', '"soon" is no schedule.');
      const job = { ...entry, id: 'aaaaaaaa', source: 'command' as const, suspended: false };
      this.cronJobs.push({ ...job, next: undefined, last: undefined });
      return this.cronJobs.at(-1)!;
    },
    remove: (name, id, user) => void this.calls.push(`uncron ${name} ${id} by ${user}`),
    run: async (app, id, user) => {
      this.calls.push(`cron run ${app} ${id} by ${user}`);
      return { app, name: 'cron.4711', command: 'true', user, release: 1, since: new Date() };
    },
    setSuspended: (name, id, suspended, user) =>
      void this.calls.push(`suspend ${name} ${id} ${suspended} by ${user}`),
  };
  readonly limits: Platform['limits'] = { list: () => [], set: async () => [], clear: async () => [] };
  readonly maintenance: Platform['maintenance'] = {
    isOn: () => false,
    on: async (name, _page, user) => void this.calls.push(`maintenance ${name} on by ${user}`),
    off: async (name, user) => void this.calls.push(`maintenance ${name} off by ${user}`),
  };
  waitingPushes: ReturnType<Platform['pushes']['waiting']> = [];
  readonly pushes: Platform['pushes'] = {
    waiting: () => this.waitingPushes,
    receive: () => Promise.reject(new Error('not here')),
    upload: () => Promise.reject(new Error('not here')),
  };

  #app(name: string): App {
    const app = this.#apps.get(name);
    if (!app) throw new PaasError('not_found', `There is no app ${JSON.stringify(name)}.`);
    return app;
  }

  #build(id: number): Build {
    const build = this.#builds.find(({ view }) => view.id === id);
    if (!build) throw new PaasError('not_found', `There is no build ${id}.`);
    return build;
  }

  #summary(app: App): AppSummary {
    const release = app.releases.find(({ current }) => current);
    return {
      name: app.name,
      state: stateOf(app),
      dynos: {
        running: app.dynos.filter(({ state }) => state === 'up').length,
        wanted: app.formation.reduce((sum, { quantity }) => sum + quantity, 0),
      },
      release: release?.version,
      releasedAt: release?.createdAt,
      createdAt: app.createdAt,
      url: `http://${app.name}.localhost/`,
    };
  }

  #release(app: App, given: Partial<ReleaseView>): ReleaseView {
    for (const release of app.releases) release.current = false;
    const release: ReleaseView = {
      version: app.releases.length + 1,
      description: '',
      user: 'alice',
      createdAt: new Date(),
      commit: undefined,
      buildId: undefined,
      current: true,
      succeeded: true,
      canary: false,
      pending: false,
      givenUp: false,
      reason: undefined,
      ...given,
    };
    app.releases.push(release);
    return release;
  }

  #dyno(app: App, type: string, number: number): DynoView {
    const command = app.formation.find((entry) => entry.type === type)?.command ?? '';
    const rest = { since: new Date(), release: app.releases.length, reason: undefined };
    return { name: `${type}.${number}`, type, number, command, state: 'up', ...rest };
  }

  async #boot(app: App, type: string, quantity: number): Promise<void> {
    app.dynos = app.dynos.filter((dyno) => dyno.type !== type || dyno.number <= quantity);
    const before = app.dynos.filter((dyno) => dyno.type === type).length;
    const started = Array.from({ length: Math.max(0, quantity - before) }, (_, i) =>
      this.#dyno(app, type, before + i + 1),
    );
    for (const dyno of started) dyno.state = 'starting';
    app.dynos.push(...started);
    await setTimeout(this.bootTime);
    for (const dyno of started) dyno.state = 'up';
  }

  async *#readLog(app: App, query: LogQuery): AsyncGenerator<LogLine> {
    const wanted = (line: LogLine) =>
      (query.dyno === undefined || line.dyno === query.dyno) &&
      (query.type === undefined || line.dyno.startsWith(`${query.type}.`)) &&
      (query.source === undefined || line.source === query.source);
    const signal = query.signal ?? new AbortController().signal;
    const coming = query.follow ? on(this.#events, `log ${app.name}`, { signal }) : undefined;
    yield* app.log.filter(wanted).slice(-(query.lines ?? 100));
    if (!coming) return;
    try {
      for await (const [line] of coming) if (wanted(line)) yield line;
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async *#output(build: Build, options?: { follow?: boolean; signal?: AbortSignal }): AsyncGenerator<string> {
    const signal = options?.signal ?? new AbortController().signal;
    const isOpen = build.view.finishedAt === undefined;
    const coming =
      options?.follow && isOpen ? on(this.#events, `build ${build.view.id}`, { signal }) : undefined;
    yield build.text;
    if (!coming) return;
    try {
      for await (const [text] of coming) {
        if (text === undefined) return;
        yield text;
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

function stateOf(app: App): AppState {
  if (app.releases.length === 0) return 'no release';
  const web = app.dynos.filter(({ type }) => type === 'web');
  if (web.length === 0) return 'stopped';
  if (web.some(({ state }) => state === 'up')) return 'up';
  return web.some(({ state }) => state === 'starting') ? 'starting' : 'crashed';
}

function termOf({ type, operator, quantity }: ScaleChange): string {
  return `${type}${operator}${quantity}`;
}
