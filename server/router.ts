import { flushCompileCache } from 'node:module';
import { parseConfig, paths, routerNumbers, routerPaths } from './config.ts';
import { freeMemoryWhenIdle } from './idle-memory.ts';
import { ControlApi } from './router/control-api.ts';
import { defaultLimits } from './router/limits.ts';
import { mainAsKeeper, PortSockets } from './router/port-sockets.ts';
import { maxConnections, ProxyServer } from './router/proxy-server.ts';
import { RouteFile } from './router/route-file.ts';
import { RouteMap } from './router/route-map.ts';
import { RouterLog } from './router/router-log.ts';
import { SharedRates } from './router/shared-rates.ts';
import { TicketKeys } from './router/ticket-keys.ts';
import { Traffic } from './router/traffic.ts';
import { outliveRejections } from './unexpected-rejections.ts';

/**
 * The router's process: serves by the last route table until control sends a new one. Says
 * `ready {"http":"ADDRESS:PORT","https":"ADDRESS:PORT"}` on stdout when it listens, and `leaving` when another one may take over;
 * everything else goes to stderr. SIGTERM: lets requests in progress end. PAAS_HTTP_FD, PAAS_HTTPS_FD: sockets that are bound
 * already, instead of PAAS_HTTP and PAAS_HTTPS. PAAS_PORT_FDS: the same for ports of apps, `8080=5,8081=6`. PAAS_ROUTER: which of several it is; the first is 1.
 */
async function main(): Promise<void> {
  outliveRejections((text, cause) => console.error(`router: ${text}:`, cause));
  const config = parseConfig(process.env);
  const { ticketKeys } = paths(config);
  const number = Number(process.env.PAAS_ROUTER ?? 1);
  const own = routerPaths(config, number);
  const others = routerNumbers(config).filter((other) => other !== number);
  const limits = { ...defaultLimits, connections: maxConnections(defaultLimits.connections) };
  const routes = new RouteMap({ maxIdle: limits.idleUpstreams });
  const log = new RouterLog();
  const traffic = new Traffic();
  const file = new RouteFile(own.routes);
  const server = new ProxyServer({
    routes,
    log,
    traffic,
    limits,
    ticketKeys: new TicketKeys(ticketKeys),
    portSockets: new PortSockets({ keeper: mainAsKeeper(), descriptors: process.env.PAAS_PORT_FDS }),
  });
  const control = new ControlApi({ routes, file, log, traffic });

  restore(file, routes);
  const listens: Record<string, string> = {};
  for (const [scheme, address] of [
    ['http', config.http],
    ['https', config.https],
  ] as const) {
    if (!address) continue;
    const { host, port } = await server.listen(inherited(scheme) ?? address, scheme);
    listens[scheme] = `${host}:${port}`;
  }
  await control.listen(own.socket);
  new SharedRates(
    routes,
    others.map((other) => routerPaths(config, other).socket),
  ).start();
  process.stdout.write(`ready ${JSON.stringify(listens)}\n`);

  // With NODE_COMPILE_CACHE set, the next start takes a third of the time, also after a kill -9 of this one.
  flushCompileCache();
  freeMemoryWhenIdle();

  const stop = async () => {
    // Its control socket's name is the next one's from now on.
    control.release();
    process.stdout.write('leaving\n');
    await server.stop();
    log.flush();
    traffic.report();
    control.stop();
    process.exit(0);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function inherited(scheme: 'http' | 'https'): { fd: number } | undefined {
  const fd = process.env[`PAAS_${scheme.toUpperCase()}_FD`];
  return fd === undefined ? undefined : { fd: Number(fd) };
}

function restore(file: RouteFile, routes: RouteMap): void {
  try {
    const table = file.load();
    if (table) routes.swap(table);
  } catch (error) {
    console.error(
      `router: the kept routes cannot be used, waiting for new ones: ${(error as Error).message}`,
    );
  }
}

try {
  await main();
} catch (error) {
  console.error(`router: ${(error as Error).message}`);
  process.exit(1);
}
