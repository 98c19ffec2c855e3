import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, ListenOptions } from 'node:net';
import { latencyBound } from '../deploy/model/latency.ts';
import type { TrafficCount } from '../deploy/model/router.ts';
import type { Address } from './config.ts';
import { createServer } from './plain-http.ts';

type Total = Omit<TrafficCount, 'app'>;

/** Answers GET /metrics, where only those can reach it who may know the apps' names: a unix socket, and an address that somebody chose. */
export class MetricsServer {
  readonly #read: () => Promise<Parameters<typeof metricsText>[0]>;
  readonly #servers: Server[] = [];

  constructor(read: () => Promise<Parameters<typeof metricsText>[0]>) {
    this.#read = read;
  }

  /** For the socket's owner alone. */
  async listenOnSocket(path: string): Promise<void> {
    rmSync(path, { force: true });
    await this.#listen({ path });
    chmodSync(path, 0o600);
  }

  /** Port 0: a free one. Returns what it listens on. */
  async listen(address: Address): Promise<Address> {
    const server = await this.#listen(address);
    return { host: address.host, port: (server.address() as AddressInfo).port };
  }

  close(): void {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  async #listen(where: ListenOptions): Promise<Server> {
    const server = createServer((request, response) => void this.#answer(request, response));
    server.listen(where);
    await once(server, 'listening');
    this.#servers.push(server);
    return server;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404, { 'content-type': 'text/plain' });
      response.end('There is GET /metrics.\n');
      return;
    }
    const text = metricsText(await this.#read());
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(text);
  }
}

/** Prometheus' text format, https://prometheus.io/docs/instrumenting/exposition_formats/. */
export function metricsText({
  apps,
  inFlight,
}: {
  apps: ReadonlyMap<string, Total>;
  /** undefined: not known at the moment. */
  inFlight: number | undefined;
}): string {
  const all = [...apps];
  return [
    '# HELP paas_requests_total Requests that the router answered, by app and class of status.',
    '# TYPE paas_requests_total counter',
    ...all.flatMap(([app, { statuses }]) =>
      statuses.map((count, kind) => `paas_requests_total{app="${app}",status="${kind + 1}xx"} ${count}`),
    ),
    '# HELP paas_response_bytes_total Bytes of bodies that clients got.',
    '# TYPE paas_response_bytes_total counter',
    ...all.map(([app, { bytes }]) => `paas_response_bytes_total{app="${app}"} ${bytes}`),
    '# HELP paas_request_duration_seconds Time from a request to the end of its answer, but for WebSockets.',
    '# TYPE paas_request_duration_seconds histogram',
    ...all.flatMap(([app, total]) => histogram(app, total)),
    '# HELP paas_requests_in_flight Requests and WebSockets that dynos are busy with.',
    '# TYPE paas_requests_in_flight gauge',
    ...(inFlight === undefined ? [] : [`paas_requests_in_flight ${inFlight}`]),
    '',
  ].join('\n');
}

function histogram(app: string, { latencies, time }: Total): string[] {
  const lines: string[] = [];
  let count = 0;
  for (const [place, here] of latencies.entries()) {
    count += here;
    // Every second bound, and not the last, which has no end.
    if (place % 2 === 0 || place === latencies.length - 1) continue;
    const bound = Number((latencyBound(place) / 1000).toPrecision(4));
    lines.push(`paas_request_duration_seconds_bucket{app="${app}",le="${bound}"} ${count}`);
  }
  return [
    ...lines,
    `paas_request_duration_seconds_bucket{app="${app}",le="+Inf"} ${count}`,
    `paas_request_duration_seconds_sum{app="${app}"} ${time / 1000}`,
    `paas_request_duration_seconds_count{app="${app}"} ${count}`,
  ];
}
