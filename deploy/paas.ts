import { join } from 'node:path';
import { SshKeys } from './access/keys.ts';
import { DashboardSessions } from './access/sessions.ts';
import { Activity } from './activity.ts';
import { AppCatalog } from './app-catalog.ts';
import { AppDomains } from './app-domains.ts';
import { AppHttps, httpsRoute } from './app-https.ts';
import { AppMaintenance } from './app-maintenance.ts';
import { AppPorts } from './app-ports.ts';
import { AppRedirects } from './app-redirects.ts';
import { AppVisitors } from './app-visitors.ts';
import { ImageBuilder } from './build/image-builder.ts';
import { ImageKeeper } from './build/image-keeper.ts';
import { NpmRegistry } from './build/npm-registry.ts';
import { BuildManager } from './build-manager.ts';
import { AppCanaries } from './canary.ts';
import { CronClock } from './cron/cron-clock.ts';
import { CronJobs } from './cron/cron-jobs.ts';
import { type ContainerSummary, Engine } from './engine.ts';
import { AppChecks, withSet } from './formation/app-checks.ts';
import { appNetwork } from './formation/app-network.ts';
import { DynoChecks } from './formation/dyno-checks.ts';
import { DynoManager } from './formation/dyno-manager.ts';
import { DynoRunner } from './formation/dyno-runner.ts';
import { Formations } from './formation/formations.ts';
import { Idleness } from './formation/idleness.ts';
import { AppLimits } from './formation/limits.ts';
import { MemoryWatch } from './formation/memory-watch.ts';
import { PortPublisher } from './formation/port-publisher.ts';
import { RoutePublisher } from './formation/route-publisher.ts';
import { LeavingApps } from './leaving-apps.ts';
import { AppLogs } from './logs/app-log.ts';
import { KeyedMutex } from './model/mutex.ts';
import type { Router, TrafficCount } from './model/router.ts';
import { AppPipelines } from './pipelines.ts';
import type { Platform } from './platform.ts';
import { AppPreviews } from './previews.ts';
import type { BuildCapacity } from './queue/build-capacity.ts';
import { BuildOutputs } from './queue/build-output.ts';
import { BuildQueue } from './queue/build-queue.ts';
import { GitService } from './receive/git-service.ts';
import { OwedRefs } from './receive/owed-refs.ts';
import { PushHook } from './receive/push-hook.ts';
import { Repositories } from './receive/repositories.ts';
import { AppConfig, KEPT_RELEASES, ReleaseManager } from './release-manager.ts';
import { DetachedDynos } from './runs/detached-dynos.ts';
import { OneOffDynos } from './runs/one-off-dynos.ts';
import { ReleaseCommands } from './runs/release-commands.ts';
import { AccessStore } from './store/access-store.ts';
import { AcmeStore } from './store/acme-store.ts';
import { AppStore } from './store/app-store.ts';
import { BuildStore } from './store/build-store.ts';
import { CertificateStore } from './store/certificate-store.ts';
import { CheckStore } from './store/check-store.ts';
import { CronStore } from './store/cron-store.ts';
import { Database } from './store/database.ts';
import { DomainStore } from './store/domain-store.ts';
import { EventStore } from './store/event-store.ts';
import { HttpsStore } from './store/https-store.ts';
import { OwedRefStore } from './store/owed-ref-store.ts';
import { PipelineStore } from './store/pipeline-store.ts';
import { PortStore } from './store/port-store.ts';
import { PreviewStore } from './store/preview-store.ts';
import { ReleaseStore } from './store/release-store.ts';
import { TrafficStore } from './store/traffic-store.ts';
import { VisitorStore } from './store/visitor-store.ts';
import { WebhookStore } from './store/webhook-store.ts';
import { acmeCertificates } from './tls/acme-certificates.ts';
import { AppCertificates } from './tls/certificates.ts';
import { noAutomaticCertificates } from './tls/no-automatic-certificates.ts';
import { AppTraffic } from './traffic.ts';
import { AddressPolicy } from './webhooks/address-policy.ts';
import { AppWebhooks } from './webhooks/app-webhooks.ts';
import { WebhookDispatcher } from './webhooks/webhook-dispatcher.ts';

export interface PaasOptions {
  database: string;
  repositories: string;
  logs: string;
  cache: string;
  npmrc: string;
  engineSocket: string;
  /** Unix socket path or redis:// URL. */
  redis: string;
  /** In front of every key in Redis. */
  redisPrefix: string;
  router: Router;
  domain: string;
  /** Where certificates come from by themselves; undefined: from nowhere. */
  acme: { email: string; directory: string } | undefined;
  /** The platform's own ports, by what they are for, and the address at which the router listens. */
  ownPorts: { reserved: () => Record<string, number>; routerHost: string };
  /** URL of a host name, with the router's port where it is not the usual one. `secure`: it has a certificate. */
  urlOf: (hostname: string, options: { secure: boolean }) => string;
  /** Builds at once, and bytes of memory that a step of one may take. */
  builds: BuildCapacity;
  /** CIDR: beside public addresses, webhooks may reach these. */
  webhookNetworks: string[];
  /** Milliseconds for a build. */
  buildTimeout: number;
  /** Seconds for a web dyno to listen, where its app has no own. */
  bootTimeout: number;
  /** Bytes that a dyno or a step of a build may write; 0: no limit. */
  diskLimit: number;
  /** Environment of build steps with network: registries, proxies, the host's CA. */
  networkEnvironment: Record<string, string>;
  log: (text: string) => void;
}

/** The whole of deploy/, put together: what the front ends program against, and its life. */
export interface Paas extends Platform {
  /** Takes up what runs, ends what a killed control left half-way, begins to take builds. */
  start(): Promise<void>;
  /** Dynos run on. */
  stop(): Promise<void>;
  routerLine(line: { app: string; at: number; text: string }): void;
  routerTraffic(count: TrafficCount): void;
  /** Of each app since the start. */
  readonly traffic: ReadonlyMap<string, Omit<TrafficCount, 'app'>>;
  /** A request waits for an app whose dynos are idle. */
  routerWakes(app: string): void;
}

export function openPaas(options: PaasOptions): Paas {
  const { domain, log } = options;
  const database = new Database(options.database);
  const apps = new AppStore(database);
  const domains = new DomainStore(database);
  const visitors = new VisitorStore(database);
  const portStore = new PortStore(database);
  const releaseStore = new ReleaseStore(database);
  const buildStore = new BuildStore(database);
  const access = new AccessStore(database);
  const engine = new Engine(options.engineSocket, { diskLimit: options.diskLimit });
  const logs = new AppLogs(options.logs);
  const activity = new Activity(new EventStore(database), logs);
  const outputs = new BuildOutputs(join(options.logs, '.builds'));
  const repositories = new Repositories(options.repositories);
  const owed = new OwedRefs({ store: new OwedRefStore(database), repositories, log });
  const registry = new NpmRegistry({ folder: options.cache, npmrc: options.npmrc });
  const lock = new KeyedMutex();
  const leaving = new LeavingApps();
  const urlOf = (app: string) => {
    const host = `${app}.${domain}`;
    return options.urlOf(host, { secure: certificates.isValid(host) });
  };

  const limitsOf = (app: string, type: string) => apps.limits(app)[type] ?? {};

  const checkStore = new CheckStore(database);
  const checks = new DynoChecks({
    checksOf: (release) => withSet(release.checks, checkStore.list(release.app)),
    hostOf: (app) => `${app}.${domain}`,
    say: (dyno, text) => runner.say(dyno, text),
  });
  const runner: DynoRunner = new DynoRunner({
    checks,
    onReadiness: () => void publishRoutes().catch(() => {}),
    engine,
    logs,
    bootTimeoutOf: (app) => (checkStore.bootTimeout(app) ?? options.bootTimeout) * 1000,
    stopTimeout: 30,
    limitsOf,
    portsOf: (app, type) =>
      portStore
        .of(app)
        .filter((port) => port.type === type && port.protocol !== 'udp')
        .map(({ target }) => target),
  });
  const ports = new PortPublisher({
    ports: portStore,
    engine,
    dynosOf: (app) => dynos.list(app),
    log,
  });
  const routes = new RoutePublisher({
    apps,
    domains,
    visitors,
    ports: portStore,
    router: options.router,
    domain,
    dynosOf: (app) => dynos.list(app),
    tls: () => certificates.tls(),
    httpsOf: (app) => httpsRoute(https.find(app)),
  });
  const publishRoutes = async () => {
    await Promise.all([routes.publish(), ports.publish()]);
  };
  const https = new HttpsStore(database);
  const acme =
    options.acme &&
    acmeCertificates({
      ...options.acme,
      store: new AcmeStore(database),
      certificates: () => certificates,
      publish: (changed) => (changed === 'certificates' ? publishHosts() : publishRoutes()),
      activity,
    });
  const certificates: AppCertificates = new AppCertificates({
    apps,
    domains,
    domain,
    store: new CertificateStore(database),
    https,
    automatic: acme ?? noAutomaticCertificates,
    activity,
    publishRoutes: () => publishHosts(),
    log,
  });
  /** After a change of host names. */
  const publishHosts = () => {
    certificates.refresh();
    acme?.soon();
    return publishRoutes();
  };
  const inFlight = options.router.inFlight.bind(options.router);
  const drain = options.router.drain.bind(options.router);
  const adoptRun = (container: ContainerSummary) => runs.adopt(container);
  const dynos: DynoManager = new DynoManager({
    engine,
    runner,
    logs,
    log,
    leaving,
    publishRoutes,
    adoptRun,
    inFlight,
    drain,
  });
  const commands = new ReleaseCommands({
    engine,
    logs,
    leaving,
    limitsOf,
    keep: (release, output) => releaseStore.addOutput(release, output),
    timeLimit: options.buildTimeout,
  });
  const releases = new ReleaseManager({
    apps,
    releases: releaseStore,
    dynos,
    activity,
    lock,
    leaving,
    onActivated: (app) => {
      cron.sync();
      images.sweepSoon();
      idleness.watch(app);
    },
    commands,
    hasImage: async (image) => (await engine.findImage(image)) !== undefined,
  });
  const detached = new DetachedDynos({ engine, logs, requireApp: (name) => void apps.find(name) });
  const runs: OneOffDynos = new OneOffDynos({
    engine,
    releases,
    detached,
    commands,
    logs,
    activity,
    limitsOf,
  });
  const cron: CronJobs = new CronJobs({
    apps,
    store: new CronStore(database),
    releases,
    detached,
    logs,
    activity,
    limitsOf,
  });
  const clock = new CronClock({
    redis: options.redis,
    prefix: options.redisPrefix,
    tick: (key) => cron.tick(key),
    log,
  });
  const traffic = new AppTraffic({ apps, store: new TrafficStore(database), log });
  const memory = new MemoryWatch({
    engine,
    dynos: () => apps.list().flatMap(({ name }) => dynos.list(name)),
    say: (dyno, text) => runner.say(dyno, text),
  });
  const idleness = new Idleness({ store: apps, ports: portStore, dynos, logs, activity, lock });
  const catalog: AppCatalog = new AppCatalog({
    store: apps,
    builds: buildStore,
    outputs,
    releases,
    dynos,
    repositories,
    logs,
    activity,
    lock,
    leaving,
    urlOf,
    removeDependents: (app, user) => previews.removeAll(app, user),
    onDestroyed: () => {
      cron.sync();
      images.sweepSoon();
    },
    stopRuns: (app) => runs.stopAll(app),
    removeNetwork: (app) => engine.removeNetwork(appNetwork(app).name),
    cancelBuilds: (app, user) => builds.cancelAll(app, user),
    publishRoutes: publishHosts,
  });
  const previews: AppPreviews = new AppPreviews({
    apps,
    visitors,
    https,
    catalog,
    store: new PreviewStore(database),
    leaving,
    activity,
    urlOf,
    log,
  });
  const canaries = new AppCanaries({
    apps,
    store: releaseStore,
    releases,
    dynos,
    logs,
    activity,
    lock,
    publishRoutes,
  });
  const builds: BuildManager = new BuildManager({
    store: buildStore,
    outputs,
    leaving,
    logs,
    activity,
    log,
    timeLimit: options.buildTimeout,
    builder: new ImageBuilder({
      engine,
      registry,
      networkEnvironment: options.networkEnvironment,
      memory: options.builds.memory,
      diskLimit: options.diskLimit,
    }),
    context: { versions: (name) => registry.versions(name), architecture: process.arch },
    releases,
    canaries,
    lock,
    abandonBoots: (app) => dynos.abandonBoots(app),
    configOf: (app) => apps.config(app),
    isPreview: (app) => previews.has(app),
    setFormation: (app, quantities) => apps.setFormation(app, quantities),
    setConfig: (app, config) => apps.replaceConfig(app, config),
    urlOf,
  });
  const images: ImageKeeper = new ImageKeeper({
    engine,
    wanted: () => releaseStore.images(KEPT_RELEASES),
    isBuilding: () => builds.isBuilding,
    log,
  });
  const queue = new BuildQueue({
    redis: options.redis,
    prefix: options.redisPrefix,
    concurrency: options.builds.atOnce,
    run: async (id) => {
      await images.settled();
      await builds.run(id);
    },
    log,
  });
  builds.useQueue(queue);
  const webhookStore = new WebhookStore(database);
  const policy = new AddressPolicy(options.webhookNetworks);
  const dispatcher = new WebhookDispatcher({ store: webhookStore, policy, log });

  return {
    apps: catalog,
    dynos: new Formations({
      store: apps,
      releases,
      dynos,
      activity,
      lock,
      canaryOf: (app) => canaries.running(app),
      runs: (app) => runs.list(app),
      onStarted: (app) => idleness.watch(app),
    }),
    config: new AppConfig(apps, releases),
    releases,
    builds,
    domains: new AppDomains({ store: apps, domains, activity, domain, publishRoutes: publishHosts }),
    redirects: new AppRedirects({ store: apps, domains, activity, domain, publishRoutes: publishHosts }),
    ports: new AppPorts({
      store: apps,
      ports: portStore,
      releases,
      activity,
      ...options.ownPorts,
      problem: (mapping) => ports.problem(mapping),
      wake: (app, why) => idleness.wake(app, why),
      publishRoutes,
    }),
    visitors: new AppVisitors({ store: apps, visitors, activity, publishRoutes }),
    certificates,
    https: new AppHttps({ store: apps, https, activity, publishRoutes }),
    keys: new SshKeys(access, activity),
    sessions: new DashboardSessions(access),
    logs: { read: (app, query) => logs.read(apps.find(app).name, query) },
    runs,
    events: activity,
    webhooks: new AppWebhooks({ apps, store: webhookStore, activity, policy, dispatcher }),
    cron,
    idle: idleness,
    previews,
    canaries,
    pipelines: new AppPipelines({
      apps,
      store: new PipelineStore(database),
      releases,
      lock,
      activity,
    }),
    checks: new AppChecks({
      releases,
      dynos,
      checks,
      store: checkStore,
      activity,
      bootTimeout: options.bootTimeout,
    }),
    limits: new AppLimits({ store: apps, activity, engine, dynos, releases, lock }),
    maintenance: new AppMaintenance({ store: apps, activity, publishRoutes }),
    metrics: traffic,
    traffic: traffic.totals,
    pushes: new GitService({
      apps: catalog,
      store: apps,
      builds,
      repositories,
      owed,
      hook: new PushHook({ builds, repositories, previews, owed }),
    }),

    async start() {
      // A control that died at it may have left something of an app that was destroyed. Without any app the record itself may be lost.
      const isApp = (name: string) => apps.has(name) || apps.list().length === 0;
      await repositories.prepare(isApp);
      logs.prepare(isApp);
      outputs.prepare((id) => buildStore.has(id) || apps.list().length === 0);
      await owed.settle();
      await registry.prepare();
      database.transaction(() => {
        const cutOff = builds.endUnfinished();
        releases.endUnfinished(({ app, buildId }) =>
          cutOff.some((build) => build.id === buildId && build.app === app),
        );
      });
      await engine.waitUntilUp(30_000);
      const current = apps.list().flatMap((app) => releases.current(app.name) ?? []);
      await dynos.resume(
        current.map((release) => ({
          release,
          quantities: releases.quantities(release),
          idles: idleness.mayIdle(release.app),
          canary: canaries.running(release.app),
        })),
      );
      for (const { name } of apps.list()) idleness.watch(name);
      canaries.resume();
      void memory.start();
      runner
        .watchEnds((error) => log(`events of the runtime: ${(error as Error).message}`))
        .catch((error) => log(String(error)));
      await queue.start();
      cron.useClock(clock);
      previews.start();
      certificates.start();
      acme?.start();
      images.start();
      traffic.start();
      dispatcher.wake();
    },

    async stop() {
      runner.close();
      detached.close();
      idleness.close();
      memory.close();
      previews.close();
      images.close();
      traffic.close();
      dispatcher.close();
      certificates.close();
      await acme?.close();
      await queue.close();
      await clock.close();
      logs.close();
      database.close();
    },

    routerTraffic(count) {
      traffic.note(count);
    },

    routerWakes(app) {
      idleness.wake(app).catch((error) => log(`waking ${app}: ${(error as Error).message}`));
    },

    routerLine(line) {
      idleness.noteRequest(line.app);
      canaries.noteLine(line.app, line.text);
      if (apps.has(line.app))
        logs.append(line.app, { source: 'paas', dyno: 'router', text: line.text, at: new Date(line.at) });
    },
  };
}
