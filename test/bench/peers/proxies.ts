import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { ROUTER_FLAGS } from '../../../server/host/services.ts';
import { RouterClient } from '../../../server/router-client.ts';

export const APP_HOST = 'app.localhost';
const ADDRESS = '127.0.0.1';
export const ECHO_HOST = 'echo.localhost';
/** Bytes of `/large`. */
export const LARGE = 64 * 1024;

export interface Peer {
  name: string;
  port: number;
  /** Of HTTPS. */
  tlsPort: number;
  pid: number;
}

/**
 * The router and what else is installed, each in front of the same two servers: nginx for `app.localhost` (`/small`, `/large`), and
 * an echo of WebSockets for `echo.localhost`. They write a log and set the same fields. One core is theirs, another one the rest's.
 */
export class Proxies {
  readonly list: Peer[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), 'router-bench-'));
  readonly #children: ChildProcess[] = [];

  async start(): Promise<void> {
    chmodSync(this.#folder, 0o755);
    const app = await this.#startApp();
    const echo = await freePort();
    this.#spawn([process.execPath, join(import.meta.dirname, 'echo-server.ts'), String(echo)], LOAD_CORE);
    await listening(echo);
    const ports = { app, echo };
    await this.#startRouter(ports);
    await this.#startNginx(ports);
    await this.#startPeer('haproxy', haproxyConfig, {
      ...ports,
      argv: (file) => ['haproxy', '-db', '-f', file],
    });
    await this.#startPeer('caddy', caddyConfig, {
      ...ports,
      argv: (file) => ['caddy', 'run', '--config', file],
    });
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The server behind, so that it is never the limit: nginx from memory and disk cache. */
  async #startApp(): Promise<number> {
    const port = await freePort();
    writeFileSync(join(this.#folder, 'large'), 'x'.repeat(LARGE));
    const server = `access_log off; sendfile on; server { listen 127.0.0.1:${port} backlog=4096; root ${this.#folder};
      location /small { return 200 "Hello world\\n"; } }`;
    await this.#nginx('app', { server, core: LOAD_CORE, port });
    return port;
  }

  async #startRouter({ app, echo }: { app: number; echo: number }): Promise<void> {
    const run = join(this.#folder, 'run');
    const env = {
      ...process.env,
      PAAS_DATA: run,
      PAAS_RUN: run,
      PAAS_HTTP: '127.0.0.1:0',
      PAAS_HTTPS: '127.0.0.1:0',
    };
    const router = this.#spawn([process.execPath, ...ROUTER_FLAGS, ROUTER], PROXY_CORE, env);
    const [text] = await once(router.stdout!, 'data');
    const [port, tlsPort] = [...String(text).matchAll(/:(\d+)"/g)].map((match) => Number(match[1]));
    const client = new RouterClient({ socketPath: join(run, 'control', 'router.sock') });
    const route = (name: string, hosts: string[], to: number) => ({
      app: name,
      hosts,
      state: 'up' as const,
      dynos: [{ name: 'web.1', address: '127.0.0.1', port: to }],
    });
    await client.setRoutes({
      dashboard: { host: 'paas.localhost', socketPath: join(run, 'none.sock') },
      // The load tool asks TLS for the address.
      apps: [route('app', [APP_HOST, ADDRESS], app), route('echo', [ECHO_HOST], echo)],
      certificates: [{ hosts: [ADDRESS], ...this.#certificate() }],
    });
    const socket = join(run, 'control', 'router.sock');
    // Somebody takes the log, as the others' goes into a file; control's work on it is another process's.
    const reader = ['curl', '-sN', '--unix-socket', socket, '-o', '/dev/null', 'http://router/logs'];
    this.#spawn(reader, LOAD_CORE);
    this.list.push({ name: 'router', port: port!, tlsPort: tlsPort!, pid: router.pid! });
  }

  async #startNginx({ app, echo }: { app: number; echo: number }): Promise<void> {
    if (!hasProgram('nginx')) throw new Error('nginx is not installed (apt-get install nginx-light)');
    const [port, tlsPort] = [await freePort(), await freePort()];
    const location = (upstream: string, connection: string) => `location / {
        proxy_pass http://${upstream}; proxy_http_version 1.1; proxy_set_header Host $host;
        proxy_set_header Connection ${connection}; proxy_set_header Upgrade $http_upgrade;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
        proxy_set_header X-Forwarded-Port $server_port; proxy_set_header X-Request-Id $request_id;
        proxy_set_header X-Request-Start $msec; proxy_set_header Via "1.1 nginx"; }`;
    const server = `access_log ${this.#folder}/access.log;
      upstream app { server 127.0.0.1:${app}; keepalive 4096; keepalive_requests 1000000000; }
      upstream echo { server 127.0.0.1:${echo}; }
      ssl_certificate ${this.#folder}/site.crt; ssl_certificate_key ${this.#folder}/site.key; ssl_session_cache shared:tls:1m;
      ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Ciphersuites ${CIPHER};
      server { listen 127.0.0.1:${port} backlog=4096; listen 127.0.0.1:${tlsPort} ssl backlog=4096; server_name ${APP_HOST}; ${location('app', '""')} }
      server { listen 127.0.0.1:${port}; server_name ${ECHO_HOST}; ${location('echo', 'upgrade')} }`;
    const pid = await this.#nginx('nginx', { server, core: PROXY_CORE, port });
    this.list.push({ name: 'nginx', port, tlsPort, pid });
  }

  /** ECDSA on P-256, as authorities make them today; the same for all. */
  #certificate(): { chain: string; key: string } {
    const files = ['-keyout', 'site.key', '-out', 'site.crt'];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const names = ['-subj', '/CN=bench', '-addext', `subjectAltName=IP:${ADDRESS}`];
    execFileSync('openssl', ['req', '-x509', '-days', '2', ...key, ...files, ...names], {
      cwd: this.#folder,
      stdio: 'ignore',
    });
    const read = (name: string) => readFileSync(join(this.#folder, name), 'utf8');
    const pair = { chain: read('site.crt'), key: read('site.key') };
    writeFileSync(join(this.#folder, 'site.pem'), pair.chain + pair.key);
    return pair;
  }

  async #nginx(name: string, options: { server: string; core: number; port: number }): Promise<number> {
    const folder = join(this.#folder, name);
    mkdirSync(folder);
    const file = join(folder, 'nginx.conf');
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (kind) => `${kind}_temp_path ${folder}/${kind};`,
    );
    writeFileSync(
      file,
      `daemon off; master_process off; worker_processes 1; pid ${folder}/pid; error_log ${folder}/error.log; user root;
events { worker_connections 8192; }
http { keepalive_requests 1000000000; ${temp.join(' ')} ${options.server} }\n`,
    );
    const argv = ['nginx', '-p', folder, '-e', join(folder, 'error.log'), '-c', file];
    const child = this.#spawn(argv, options.core);
    await listening(options.port);
    return child.pid!;
  }

  async #startPeer(
    name: string,
    config: (options: PeerPorts) => string,
    options: { app: number; echo: number; argv: (file: string) => string[] },
  ): Promise<void> {
    if (!hasProgram(name)) {
      console.log(`${name}: skipped, it is not installed`);
      return;
    }
    const [port, tlsPort] = [await freePort(), await freePort()];
    const file = join(this.#folder, `${name}.conf${name === 'caddy' ? '.json' : ''}`);
    const { app, echo } = options;
    writeFileSync(file, config({ port, tlsPort, app, echo, folder: this.#folder }));
    const child = this.#spawn(options.argv(file), PROXY_CORE, { ...process.env, GOMAXPROCS: '1' });
    await listening(port);
    this.list.push({ name, port, tlsPort, pid: child.pid! });
  }

  #spawn(argv: string[], core: number, env: NodeJS.ProcessEnv = process.env): ChildProcess {
    const [program, ...args] = pinned(argv, core);
    // HAProxy logs there; the others have files of their own.
    const log = openSync(join(this.#folder, `${basename(program!)}.log`), 'a');
    const stdout = argv.includes(ROUTER) ? 'pipe' : log;
    const child = spawn(program!, args, { env, stdio: ['ignore', stdout, 'ignore'] });
    closeSync(log);
    this.#children.push(child);
    return child;
  }
}

/** The argv that runs a program on one core, where there is a choice. */
export function pinned(argv: string[], core: number): string[] {
  return availableParallelism() > 1 && hasProgram('taskset')
    ? ['taskset', '-c', String(core), ...argv]
    : argv;
}

const ROUTER = join(import.meta.dirname, '../../../server/router.ts');
export const PROXY_CORE = 0;
export const LOAD_CORE = 1;

export function hasProgram(name: string): boolean {
  try {
    execFileSync('which', [name], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

type PeerPorts = { port: number; tlsPort: number; app: number; echo: number; folder: string };

/** The one that the router prefers, for all. */
const CIPHER = 'TLS_AES_128_GCM_SHA256';

function haproxyConfig({ port, tlsPort, app, echo, folder }: PeerPorts): string {
  return `global
  ssl-default-bind-ciphersuites ${CIPHER}
  maxconn 8000
  nbthread 1
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option forwardfor
  option redispatch
  timeout connect 5s
  timeout client 75s
  timeout server 75s
  timeout tunnel 75s
frontend in
  bind 127.0.0.1:${port} backlog 4096
  bind 127.0.0.1:${tlsPort} backlog 4096 ssl crt ${folder}/site.pem
  unique-id-format %{+X}o\\ %ci:%cp_%rt_%Ts
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Port %[dst_port]
  http-request set-header X-Request-Id %[unique-id]
  http-request set-header X-Request-Start %[date]
  http-request set-header Via "1.1 haproxy"
  use_backend echo if { hdr(host) -i ${ECHO_HOST} }
  default_backend app
backend app
  http-reuse always
  server one 127.0.0.1:${app}
backend echo
  server one 127.0.0.1:${echo}
`;
}

function caddyConfig({ port, tlsPort, app, echo, folder }: PeerPorts): string {
  const proxy = (to: number) => ({
    handler: 'reverse_proxy',
    upstreams: [{ dial: `127.0.0.1:${to}` }],
    headers: {
      request: {
        set: {
          'X-Request-Id': ['{http.request.uuid}'],
          'X-Request-Start': ['{time.now.unix_ms}'],
          'X-Forwarded-Port': [String(port)],
        },
      },
    },
  });
  const route = (host: string, to: number) => ({ match: [{ host: [host] }], handle: [proxy(to)] });
  const logs = {
    access: { writer: { output: 'file', filename: `${folder}/caddy.log` }, include: ['http.log.access'] },
  };
  const server = (listen: number) => ({
    listen: [`127.0.0.1:${listen}`],
    automatic_https: { disable: true },
    logs: {},
    routes: [route(APP_HOST, app), route(ECHO_HOST, echo)],
  });
  const files = [{ certificate: `${folder}/site.crt`, key: `${folder}/site.key` }];
  const servers = { one: server(port), two: { ...server(tlsPort), tls_connection_policies: [{}] } };
  return JSON.stringify({
    admin: { disabled: true },
    logging: { logs },
    apps: { http: { servers }, tls: { certificates: { load_files: files } } },
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function listening(port: number): Promise<void> {
  for (let tries = 0; tries < 400; tries++) {
    const isThere = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (isThere) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on port ${port}`);
}
