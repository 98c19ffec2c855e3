// The control process (user paas): git and commands over SSH, the dashboard, builds, releases and dynos.
import { createHash } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { availableParallelism, totalmem } from 'node:os';
import { networkEnvironment } from '../deploy/build/network-environment.ts';
import { PaasError } from '../deploy/model/paas-error.ts';
import { openPaas, type Paas } from '../deploy/paas.ts';
import type { HostCertificate } from '../deploy/platform/certificates.ts';
import { buildCapacity } from '../deploy/queue/build-capacity.ts';
import type { DoctorFinding } from './commands/command.ts';
import { parseConfig, paths, routerNumbers, routerPaths } from './config.ts';
import type { Check } from './host/checks.ts';
import { freeMemoryWhenIdle } from './idle-memory.ts';
import { MetricsServer } from './metrics-server.ts';
import { createServer } from './plain-http.ts';
import { RouterGroup } from './router-group.ts';
import { createSshServer } from './ssh/ssh-server.ts';
import { outliveRejections } from './unexpected-rejections.ts';

const config = parseConfig(process.env);
const where = paths(config);
const log = (text: string, cause?: unknown) =>
  console.error(cause === undefined ? text : `${text}: ${(cause as Error).stack ?? cause}`);
outliveRejections(log);

const routers = new RouterGroup(routerNumbers(config).map((router) => routerPaths(config, router).socket));
const paas = openPaas({
  ...where,
  redis: config.redisUrl ?? where.redisSocket,
  redisPrefix: `paas-${createHash('sha256').update(config.run).digest('hex').slice(0, 6)}`,
  engineSocket: where.engineSocket,
  router: {
    setRoutes: (apps, tls) =>
      routers.setRoutes({
        dashboard: { host: `paas.${config.domain}`, socketPath: where.dashboardSocket },
        apps,
        ...tls,
      }),
    inFlight: (dynos) => routers.inFlight(dynos),
    drain: async (dynos, milliseconds) => void (await routers.drain(dynos, milliseconds)),
  },
  domain: config.domain,
  // A certificate is of no use where nothing speaks HTTPS.
  acme: config.https && config.acme,
  ownPorts: {
    reserved: () => ({
      PAAS_HTTP: config.http.port,
      PAAS_SSH: config.ssh.port,
      ...(config.https && { PAAS_HTTPS: config.https.port }),
      ...(config.metrics && { PAAS_METRICS: config.metrics.port }),
    }),
    routerHost: config.http.host,
  },
  urlOf,
  builds: buildCapacity({ cores: availableParallelism(), memory: totalmem() }),
  webhookNetworks: config.webhookNetworks,
  buildTimeout: config.buildTimeout * 1000,
  bootTimeout: config.bootTimeout,
  diskLimit: config.diskLimit,
  networkEnvironment: networkEnvironment(process.env, where.npmrc),
  log,
});
ensureAdminKeys(paas, process.env.PAAS_ADMIN_PUBLIC_KEY ?? '');
await paas.start();
const following = new AbortController();
void routers.followLogs((line) => paas.routerLine(line), following.signal);
void routers.followTraffic((count) => paas.routerTraffic(count), following.signal);
void routers.followWakes((app) => paas.routerWakes(app), following.signal);

const ssh = createSshServer({
  platform: paas,
  config,
  doctor: async () => {
    const { checkHost } = await import('./host/checks.ts');
    return (await checkHost(config)).map(toFinding);
  },
  dashboardUrl: () => {
    const [{ certificate }] = paas.certificates.list(undefined) as [HostCertificate];
    const secure = certificate !== undefined && certificate.notAfter > new Date();
    return urlOf(`paas.${config.domain}`, { secure }).replace(/\/$/, '');
  },
  log,
});
const address = await ssh.listen();
config.ssh.port = address.port;
// Loaded with its first page: Express and the pages take 8 MB.
let pages: ReturnType<typeof loadDashboard> | undefined;
const dashboard = createServer(async (request, response) => {
  pages ??= loadDashboard();
  (await pages)(request, response);
});
await listenOnSocket(where.dashboardSocket);
const metrics = new MetricsServer(async () => ({
  apps: paas.traffic,
  inFlight: await routers.totalInFlight(),
}));
await metrics.listenOnSocket(where.metricsSocket);
const metricsAddress = config.metrics && (await metrics.listen(config.metrics));
const listens = {
  ssh: `${address.host}:${address.port}`,
  ...(metricsAddress && { metrics: `${metricsAddress.host}:${metricsAddress.port}` }),
};
console.log(`ready ${JSON.stringify(listens)}`);
// Else it is only written at an orderly end, and the start after a kill -9 is slow.
flushCompileCache();
freeMemoryWhenIdle();

process.on('SIGTERM', () => void stop());

async function stop(): Promise<void> {
  following.abort();
  dashboard.close();
  dashboard.closeAllConnections();
  metrics.close();
  await ssh.close();
  await paas.stop();
  process.exit(0);
}

async function loadDashboard() {
  const { createDashboard } = await import('./http/dashboard.ts');
  return createDashboard({ platform: paas, config: { ...config, ssh: address }, log });
}

function listenOnSocket(path: string): Promise<void> {
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    dashboard.once('error', reject);
    dashboard.listen(path, () => {
      chmodSync(path, 0o600);
      resolve();
    });
  });
}

function toFinding(check: Check): DoctorFinding {
  const { name, ok, detail, remedy } = check;
  return { name, state: ok ? 'ok' : 'problem', message: detail, ...(remedy && { advice: remedy }) };
}

/** The router's port is part of the URL unless it is the usual one. */
function urlOf(hostname: string, { secure } = { secure: false }): string {
  const [scheme, usual, address] =
    secure && config.https ? (['https', 443, config.https] as const) : (['http', 80, config.http] as const);
  return `${scheme}://${hostname}${address.port === usual ? '' : `:${address.port}`}/`;
}

/** The first admin's keys, when nobody has one yet. */
function ensureAdminKeys(platform: Paas, lines: string): void {
  if (platform.keys.list().length > 0) return;
  for (const line of lines.split('\n').filter((text) => text.trim() && !text.startsWith('#'))) {
    try {
      platform.keys.add('admin', line, 'installation');
    } catch (error) {
      if (!(error instanceof PaasError)) throw error;
      log(`A key of the first admin is left out: ${error.message}`);
    }
  }
}
