import { createHash } from 'node:crypto';
import { PassThrough } from 'node:stream';
import { matchesQuery } from '../../deploy/logs/log-line.ts';
import { parseAppName } from '../../deploy/model/app-name.ts';
import { PaasError } from '../../deploy/model/paas-error.ts';
import type { KeyView } from '../../deploy/platform/access.ts';
import type { CheckView } from '../../deploy/platform/checks.ts';
import type { CronJobView, RunOptions, RunSession } from '../../deploy/platform/runs.ts';
import type {
  AppSummary,
  BuildView,
  EventQuery,
  LogLine,
  Platform,
  PlatformEvent,
  ProcessTypeView,
  PushStreams,
  ReleaseView,
} from '../../deploy/platform.ts';
import { fewMetrics, noCertificates, noHttps, noPorts, noRedirects, noVisitorRules } from './no-visitors.ts';
import { noWebhooks } from './no-webhooks.ts';

interface MemoryApp {
  summary: AppSummary;
  config: Record<string, string>;
  formation: ProcessTypeView[];
  releases: ReleaseView[];
  domains: string[];
  logs: LogLine[];
}

/** What a test of the front ends sees of a platform: no disk, no containers, no git. */
export class MemoryPlatform implements Platform {
  readonly stored = new Map<string, MemoryApp>();
  readonly storedKeys: (KeyView & { blob: Buffer })[] = [];
  readonly storedBuilds: BuildView[] = [];
  /** Everything that changed something, e.g. `scale blog web=3 by alice`. */
  readonly changes: string[] = [];
  runs: Platform['runs'] = {
    start: async (_app, options) => echoSession(options),
    detach: async (app, { command, user, timeLimit }) => {
      this.changes.push(`detach ${app} ${command} ${timeLimit ?? ''} by ${user}`);
      return { app, name: 'run.4711', command, user, release: 1, since: new Date('2026-08-10T10:00:00Z') };
    },
    list: () => [],
    stop: async (app, dyno, user) => {
      this.changes.push(`stop ${app} ${dyno} by ${user}`);
    },
  };
  pushes: Platform['pushes'] = {
    waiting: () => [],
    receive: async (app, { user, streams }) => this.#push('receive', { app, user, streams }),
    upload: async (app, { user, streams }) => this.#push('upload', { app, user, streams }),
  };

  readonly maintained = new Set<string>();
  readonly maintenance: Platform['maintenance'] = {
    isOn: (name) => this.#app(name) && this.maintained.has(name),
    on: async (name, page, user) => {
      this.maintained.add(name);
      this.changes.push(`maintenance on ${name}${page === undefined ? '' : ` with ${page}`} by ${user}`);
    },
    off: async (name, user) => {
      this.maintained.delete(name);
      this.changes.push(`maintenance off ${name} by ${user}`);
    },
  };

  readonly cronJobs: CronJobView[] = [];
  readonly cron: Platform['cron'] = {
    list: () => this.cronJobs,
    add: (app, entry, user) => {
      this.changes.push(`cron add ${app} ${JSON.stringify(entry)} by ${user}`);
      const next = new Date('2026-08-11T03:00:00Z');
      return { id: '1a2b3c4d', ...entry, source: 'command', suspended: false, next, last: undefined };
    },
    remove: (app, id, user) => void this.changes.push(`cron remove ${app} ${id} by ${user}`),
    run: (app, id, user) => this.runs.detach(app, { command: id, user }),
    setSuspended: (app, id, suspended, user) =>
      void this.changes.push(`cron ${app} ${id} suspended=${suspended} by ${user}`),
  };

  storedChecks: CheckView[] = [];
  readonly previews: Platform['previews'] = {
    settings: () => undefined,
    list: () => [],
    on: () => {},
    off: async () => {},
  };

  readonly pipelines: Platform['pipelines'] = {
    list: () => [{ name: 'blog', stages: [{ stage: 'staging', apps: [{ app: 'blog', release: 1 }] }] }],
    find: () => this.pipelines.list()[0]!,
    add: (pipeline, app, stage, user) => {
      this.changes.push(`pipeline ${pipeline} ${app} ${stage} by ${user}`);
      return this.pipelines.list()[0]!;
    },
    remove: (app, user) => void this.changes.push(`pipeline remove ${app} by ${user}`),
    targets: () => ['blog'],
    promote: async (app, { to, user }) => {
      this.changes.push(`promote ${app} ${to} by ${user}`);
    },
  };

  readonly canaries: Platform['canaries'] = {
    find: () => ({ share: undefined, release: undefined, requests: 0, failed: 0 }),
    set: async () => {},
    promote: async () => 1,
    abort: async () => 1,
  };

  readonly checks: Platform['checks'] = {
    list: () => this.storedChecks,
    run: async () =>
      this.storedChecks.map((check) => ({
        dyno: 'web.1',
        check,
        problem: check.path === '/' ? undefined : 'status 500',
      })),
    set: (app, wanted, user) => {
      this.changes.push(`check ${app} ${JSON.stringify(wanted)} by ${user}`);
      return this.storedChecks;
    },
    unset: (app, name, user) => {
      this.changes.push(`no check ${app} ${name} by ${user}`);
      return this.storedChecks;
    },
    bootTimeout: () => 60,
    setBootTimeout: (app, seconds, user) => {
      this.changes.push(`boot timeout ${app} ${seconds} by ${user}`);
    },
  };

  readonly idle: Platform['idle'] = {
    after: () => undefined,
    awakeFor: () => [],
    set: async (app, seconds, user) => {
      this.changes.push(`idle ${app} ${seconds} by ${user}`);
    },
  };

  readonly limits: Platform['limits'] = {
    list: (name) => this.#app(name) && [{ type: 'web', memory: 512 * 1024 ** 2, cpu: undefined }],
    set: async (name, type, change, user) => {
      this.changes.push(`limits ${name} ${type} ${JSON.stringify(change)} by ${user}`);
      return [{ type, memory: change.memory ?? 1024 ** 3, cpu: change.cpu }];
    },
    clear: async (name, type, user) => {
      this.changes.push(`limits ${name} ${type} cleared by ${user}`);
      return [{ type, memory: 1024 ** 3, cpu: undefined }];
    },
  };

  storedEvents: PlatformEvent[] = [];
  readonly events: Platform['events'] = {
    read: async function* (this: MemoryPlatform, { app }: EventQuery) {
      yield* this.storedEvents.filter((event) => app === undefined || event.app === app);
    }.bind(this),
  };

  /** An app with a release and the process types web and worker. */
  addApp(name: string, { deployed = true } = {}): MemoryApp {
    const createdAt = new Date('2026-08-10T09:00:00Z');
    const app: MemoryApp = {
      summary: {
        name,
        state: deployed ? 'up' : 'no release',
        dynos: { running: 1, wanted: 1 },
        release: deployed ? 1 : undefined,
        releasedAt: deployed ? createdAt : undefined,
        createdAt,
        url: `http://${name}.example.com/`,
      },
      config: {},
      formation: deployed
        ? [
            { type: 'web', command: 'npm start', quantity: 1 },
            { type: 'worker', command: 'node worker.js', quantity: 0 },
          ]
        : [],
      releases: [],
      domains: [],
      logs: [],
    };
    this.stored.set(name, app);
    if (deployed) {
      app.summary.release = undefined;
      this.#release(name, { description: 'Deploy 193d1419', user: 'alice' });
    }
    return app;
  }

  addKey(user: string, blob: Buffer): string {
    const fingerprint = `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
    this.storedKeys.push({
      user,
      blob,
      fingerprint,
      comment: '',
      createdAt: new Date(),
      lastUsedAt: undefined,
    });
    return fingerprint;
  }

  readonly apps: Platform['apps'] = {
    list: () => [...this.stored.values()].map((app) => app.summary),
    find: (name) => this.#app(name).summary,
    create: (name, user) => {
      parseAppName(name);
      if (this.stored.has(name))
        throw new PaasError('conflict', `The name "${name}" is taken by another app.`);
      this.changes.push(`create ${name} by ${user}`);
      return this.addApp(name, { deployed: false }).summary;
    },
    destroy: async (name, user) => {
      this.#app(name);
      this.stored.delete(name);
      this.changes.push(`destroy ${name} by ${user}`);
    },
  };

  readonly dynos: Platform['dynos'] = {
    list: (name) =>
      this.#app(name).formation.flatMap(({ type, command, quantity }) =>
        Array.from({ length: quantity }, (_, index) => ({
          name: `${type}.${index + 1}`,
          type,
          number: index + 1,
          command,
          state: 'up' as const,
          since: new Date('2026-08-10T10:00:00Z'),
          release: 1,
          reason: undefined,
        })),
      ),
    formation: (name) => this.#app(name).formation,
    scale: async (name, changes, user) => {
      const { formation } = this.#app(name);
      for (const { type, operator, quantity } of changes) {
        const process = formation.find((candidate) => candidate.type === type);
        if (!process) throw new PaasError('invalid', `${name} has no process type "${type}".`);
        if (operator === '=') process.quantity = quantity;
        else process.quantity += operator === '+' ? quantity : -quantity;
      }
      this.changes.push(
        `scale ${name} ${changes.map((c) => c.type + c.operator + c.quantity).join(' ')} by ${user}`,
      );
      return formation;
    },
    restart: async (name, target, user) => {
      this.#app(name);
      this.changes.push(`restart ${name} ${target ?? 'all'} by ${user}`);
    },
  };

  readonly config: Platform['config'] = {
    all: (name) => this.#app(name).config,
    set: async (name, vars, user) => {
      Object.assign(this.#app(name).config, vars);
      return this.#release(name, { description: `Set ${Object.keys(vars).join(', ')} config vars`, user });
    },
    unset: async (name, names, user) => {
      for (const key of names) delete this.#app(name).config[key];
      return this.#release(name, { description: `Unset ${names.join(', ')} config vars`, user });
    },
  };

  readonly releases: Platform['releases'] = {
    list: (name) => this.#app(name).releases,
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
      if (!this.#app(name).releases.some((release) => release.version === version)) {
        throw new PaasError('not_found', `${name} has no release v${version}.`);
      }
      return this.#release(name, { description: `Rollback to v${version}`, user })!;
    },
  };

  readonly builds: Platform['builds'] = {
    list: (app) => this.storedBuilds.filter((build) => app === undefined || build.app === app),
    find: (id) => {
      const build = this.storedBuilds.find((candidate) => candidate.id === id);
      if (!build) throw new PaasError('not_found', `There is no build ${id}.`);
      return build;
    },
    async *output(id) {
      yield `-----> Build ${id}\n`;
      yield '       \x1b[32mgreen\x1b[0m \x1b]0;title\x07 done\n';
    },
    cancel: async (id, user) => {
      this.changes.push(`cancel ${id} by ${user}`);
    },
  };

  redirects: Platform['redirects'] = noRedirects;
  webhooks: Platform['webhooks'] = {
    ...noWebhooks,
    add: (name, options) => {
      this.changes.push(`webhook ${name} ${options.url} ${options.secret} by ${options.user}`);
      return noWebhooks.add(name, options);
    },
  };
  ports: Platform['ports'] = noPorts;
  visitors: Platform['visitors'] = noVisitorRules;
  certificates: Platform['certificates'] = noCertificates;
  https: Platform['https'] = noHttps;
  metrics: Platform['metrics'] = fewMetrics;
  domains: Platform['domains'] = {
    list: (name) => [
      {
        hostname: `${this.#app(name).summary.name}.example.com`,
        path: '',
        strip: false,
        passthrough: undefined,
        builtIn: true,
      },
      ...this.#app(name).domains.map((hostname) => ({
        hostname,
        path: '',
        strip: false,
        passthrough: undefined,
        builtIn: false,
      })),
    ],
    add: async (name, hostname, { user }) => {
      this.#app(name).domains.push(hostname);
      this.changes.push(`domain ${name} ${hostname} by ${user}`);
    },
    remove: async (name, hostname, user) => {
      this.#app(name).domains = this.#app(name).domains.filter((domain) => domain !== hostname);
      this.changes.push(`no domain ${name} ${hostname} by ${user}`);
    },
  };

  readonly keys: Platform['keys'] = {
    list: () => this.storedKeys,
    add: (user, publicKey, by) => {
      const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
      if (blob.length === 0) throw new PaasError('invalid', 'That is no public key.');
      this.addKey(user, blob);
      this.changes.push(`key ${user} by ${by}`);
      return this.storedKeys.at(-1)!;
    },
    remove: (which, by) => {
      const removed = this.storedKeys.filter((key) => key.fingerprint === which || key.user === which);
      for (const key of removed) this.storedKeys.splice(this.storedKeys.indexOf(key), 1);
      this.changes.push(`no key ${which} by ${by}`);
      return removed;
    },
    authenticate: (blob) => this.storedKeys.find((key) => key.blob.equals(blob)),
    touch: (fingerprint) => {
      const key = this.storedKeys.find((candidate) => candidate.fingerprint === fingerprint);
      if (key) key.lastUsedAt = new Date();
    },
  };

  readonly sessions: Platform['sessions'] = {
    createLoginToken: (user, fingerprint) => {
      this.changes.push(`login token for ${user} with ${fingerprint}`);
      return 'token-of-256-bits';
    },
    peekLoginToken: () => undefined,
    redeemLoginToken: () => undefined,
    find: () => undefined,
    end: () => {},
  };

  readonly logs: Platform['logs'] = {
    read: (name, query) => followLog(this.#app(name).logs, query),
  };

  #app(name: string): MemoryApp {
    const app = this.stored.get(name);
    if (!app) throw new PaasError('not_found', `There is no app "${name}".`);
    return app;
  }

  #release(
    name: string,
    { description, user }: { description: string; user: string },
  ): ReleaseView | undefined {
    const app = this.#app(name);
    if (app.formation.length === 0) return undefined;
    const version = (app.releases[0]?.version ?? 0) + 1;
    for (const release of app.releases) release.current = false;
    app.releases.unshift({
      version,
      description,
      user,
      createdAt: new Date('2026-08-10T10:00:00Z'),
      commit: undefined,
      buildId: undefined,
      current: true,
      succeeded: true,
      canary: false,
      pending: false,
      givenUp: false,
      reason: undefined,
    });
    app.summary.release = version;
    this.changes.push(`v${version} of ${name}: ${description} by ${user}`);
    return app.releases[0];
  }

  async #push(service: string, { app, user, streams }: { app: string; user: string; streams: PushStreams }) {
    this.changes.push(`${service} ${app} by ${user}`);
    streams.stderr.write(`${service} ${app}\n`);
    streams.stdin.pipe(streams.stdout);
    await new Promise((resolve) => streams.stdin.on('end', resolve));
    return 0;
  }
}

async function* followLog(
  lines: LogLine[],
  query: Parameters<Platform['logs']['read']>[1],
): AsyncGenerator<LogLine> {
  yield* lines.filter((line) => matchesQuery(line, query)).slice(-(query.lines ?? 100));
  if (!query.follow || query.signal?.aborted) return;
  await new Promise<void>((resolve) =>
    query.signal?.addEventListener('abort', () => resolve(), { once: true }),
  );
}

/** `cat` as a one-off dyno: what comes in goes out; `exit N` ends with that status. */
function echoSession(options: RunOptions): RunSession {
  const stdin = new PassThrough();
  const stderr = new PassThrough();
  const exited = Promise.withResolvers<number>();
  const status = /^exit (\d+)$/.exec(options.command);
  stderr.end(`running ${options.command}\n`);
  if (status) {
    stdin.end();
    exited.resolve(Number(status[1]));
  }
  stdin.on('end', () => exited.resolve(0));
  return {
    dyno: 'run.1234',
    stdin,
    stdout: stdin,
    stderr,
    resize: () => {},
    signal: () => {},
    exited: exited.promise,
    hangUp: () => stdin.end(),
  };
}
