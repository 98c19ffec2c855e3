// How many requests a second the router carries on one core, against nginx as a reverse proxy on the same core.
//   node test/bench/router.ts [--seconds 3] [--rounds 5] [--connections 32]
// nginx and wrk are used if they are on the PATH. All on loopback.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { RouterClient } from '../../server/router-client.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '5' },
    connections: { type: 'string', default: '32' },
    backend: { type: 'boolean', default: false },
    load: { type: 'string' },
  },
});
const SECONDS = Number(values.seconds);
const CONNECTIONS = Number(values.connections);
const HOST = 'app.localhost';

if (values.backend) await serveHello();
else if (values.load) await loadAlone(Number(values.load));
else await compare();

async function compare(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'router-bench-'));
  chmodSync(folder, 0o755);
  const stops: (() => void)[] = [];
  try {
    const backend = await startBackend(folder, stops);
    const proxies = new Map<string, Proxy>();
    proxies.set('router', await startRouter({ folder, backend, stops }));
    if (hasProgram('nginx')) proxies.set('nginx', await startNginx(folder, { backend, stops }));
    else console.log('nginx: skipped, it is not installed');
    if (!hasProgram('wrk'))
      console.log('wrk is not installed: our own load generator, which may itself be the limit');

    const figures = await measure(proxies);
    for (const [name, { rates, costs }] of figures) {
      const each = rates.map(Math.round).join(' ');
      const cost = median(costs).toFixed(1);
      console.log(
        `${name}: ${Math.round(median(rates))} requests/s (median of ${each}), ${cost} us of CPU each`,
      );
    }
    const [ours, nginx] = [figures.get('router')!, figures.get('nginx')];
    if (nginx) {
      console.log(`ratio by requests: ${(median(ours.rates) / median(nginx.rates)).toFixed(2)} of nginx`);
      console.log(`ratio by CPU time: ${(median(nginx.costs) / median(ours.costs)).toFixed(2)} of nginx`);
    }
  } finally {
    for (const stop of stops.reverse()) stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Proxy {
  port: number;
  pid: number;
}

interface Figures {
  /** Requests a second: what counts on an otherwise idle machine. */
  rates: number[];
  /** Microseconds of the proxy's CPU time for each request: much the same on a busy one. */
  costs: number[];
}

/** Round about, so that what else happens on the machine meets all alike. */
async function measure(proxies: Map<string, Proxy>): Promise<Map<string, Figures>> {
  const figures = new Map([...proxies.keys()].map((name) => [name, { rates: [], costs: [] } as Figures]));
  for (const { port } of proxies.values()) await load(port, 1);
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const [name, { port, pid }] of proxies) {
      const before = cpuTime(pid);
      const rate = await load(port, SECONDS);
      figures.get(name)!.rates.push(rate);
      figures.get(name)!.costs.push((cpuTime(pid) - before) / (rate * SECONDS));
    }
  }
  return figures;
}

/** Microseconds, user and system, at 100 ticks a second (proc_pid_stat(5)). */
function cpuTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

// The servers: the proxy has a core to itself.

async function startRouter(options: {
  folder: string;
  backend: number;
  stops: (() => void)[];
}): Promise<Proxy> {
  const run = join(options.folder, 'run');
  const env = { ...process.env, PAAS_DATA: run, PAAS_RUN: run, PAAS_HTTP: '127.0.0.1:0' };
  const router = start([process.execPath, join(import.meta.dirname, '../../server/router.ts')], {
    core: 0,
    env,
  });
  options.stops.push(() => router.kill());
  const [text] = await once(router.stdout!, 'data');
  const port = Number(/:(\d+)"/.exec(String(text))![1]);
  const client = new RouterClient({ socketPath: join(run, 'control', 'router.sock') });
  await client.setRoutes({
    dashboard: { host: 'paas.localhost', socketPath: join(run, 'none.sock') },
    apps: [
      {
        app: 'app',
        hosts: [HOST],
        state: 'up',
        dynos: [{ name: 'web.1', address: '127.0.0.1', port: options.backend }],
      },
    ],
  });
  const log = new AbortController();
  void client.followLogs(() => {}, log.signal);
  options.stops.push(() => log.abort());
  return { port, pid: router.pid! };
}

async function startNginx(
  folder: string,
  options: { backend: number; stops: (() => void)[] },
): Promise<Proxy> {
  const port = await freePort();
  const server = `
    access_log ${folder}/access.log;
    upstream app { server 127.0.0.1:${options.backend}; keepalive 512; keepalive_requests 1000000000; }
    server {
      listen 127.0.0.1:${port} backlog=4096;
      location / {
        proxy_pass http://app;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header Connection "";
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Port $server_port;
        proxy_set_header X-Request-Id $request_id;
        proxy_set_header X-Request-Start $msec;
        proxy_set_header Via "1.1 nginx";
      }
    }`;
  const pid = await nginx(join(folder, 'proxy'), { server, core: 0, port, stops: options.stops });
  return { port, pid };
}

async function startBackend(folder: string, stops: (() => void)[]): Promise<number> {
  if (hasProgram('nginx')) {
    const port = await freePort();
    const server = `access_log off;
    server { listen 127.0.0.1:${port} backlog=4096; location / { return 200 "Hello world\\n"; } }`;
    await nginx(join(folder, 'backend'), { server, core: 1, port, stops });
    return port;
  }
  const backend = start([process.execPath, import.meta.filename, '--backend'], { core: 1 });
  stops.push(() => backend.kill());
  const [text] = await once(backend.stdout!, 'data');
  return Number(text);
}

async function nginx(
  folder: string,
  options: { server: string; core: number; port: number; stops: (() => void)[] },
): Promise<number> {
  mkdirSync(folder);
  const file = join(folder, 'nginx.conf');
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  writeFileSync(
    file,
    `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log;
events { worker_connections 4096; }
http { keepalive_requests 1000000000; ${temp.join(' ')} ${options.server} }\n`,
  );
  const child = start(['nginx', '-p', folder, '-e', join(folder, 'error.log'), '-c', file], {
    core: options.core,
  });
  options.stops.push(() => child.kill());
  await listening(options.port);
  return child.pid!;
}

function start(argv: string[], options: { core: number; env?: NodeJS.ProcessEnv }): ChildProcess {
  const [program, ...args] = pinned(argv, options.core);
  return spawn(program!, args, { env: options.env ?? process.env, stdio: ['ignore', 'pipe', 'inherit'] });
}

function pinned(argv: string[], core: number): string[] {
  return availableParallelism() > 1 && hasProgram('taskset')
    ? ['taskset', '-c', String(core), ...argv]
    : argv;
}

/** Answers requests without a body as fast as Node can. */
async function serveHello(): Promise<void> {
  const answer = 'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\nHello world\n';
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', () => socket.write(answer, 'latin1'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  process.stdout.write(String((server.address() as AddressInfo).port));
}

// The load

/** Requests a second. */
async function load(port: number, seconds: number): Promise<number> {
  const url = `http://127.0.0.1:${port}/`;
  const own = [
    process.execPath,
    import.meta.filename,
    '--load',
    String(port),
    '--connections',
    String(CONNECTIONS),
  ];
  const argv = hasProgram('wrk')
    ? ['wrk', '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-H', `Host: ${HOST}`, url]
    : [...own, '--seconds', String(seconds)];
  const child = start(argv, { core: 1 });
  let text = '';
  child.stdout!.on('data', (piece) => {
    text += piece;
  });
  await once(child, 'close');
  const match = /Requests\/sec:\s+([\d.]+)/.exec(text);
  if (!match || /Non-2xx|Socket errors/.test(text)) throw new Error(`the load failed: ${text}`);
  return Number(match[1]);
}

async function loadAlone(port: number): Promise<void> {
  const request = `GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
  const until = performance.now() + SECONDS * 1000;
  let count = 0;
  let wrong = 0;
  const clients = Array.from({ length: CONNECTIONS }, async () => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.setEncoding('latin1');
    socket.on('data', (piece: string) => {
      if (!piece.startsWith('HTTP/1.1 200 ') || !piece.endsWith('world\n')) wrong++;
      count++;
      if (performance.now() < until) socket.write(request, 'latin1');
      else socket.end();
    });
    socket.write(request, 'latin1');
    await once(socket, 'close');
  });
  await Promise.all(clients);
  console.log(wrong > 0 ? `Non-2xx: ${wrong}` : `Requests/sec: ${count / SECONDS}`);
}

function hasProgram(name: string): boolean {
  try {
    execFileSync('which', [name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const socket = connect({ port, host: '127.0.0.1' });
    const isThere = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'close').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on port ${port}`);
}

function median(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
