import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireBaseSystem } from '../../../server/host/base-system.ts';
import { get, run } from '../../e2e/instance.ts';

const BASE = 'paas-bench/base';
const APP = 'paas-bench/app';

/** Why this peer cannot be measured here, if it cannot. */
export async function whyNoDocker(): Promise<string | undefined> {
  const docker = await run('docker', ['info']).catch(() => undefined);
  if (docker?.status !== 0) return 'no Docker engine answers';
  const nginx = await run('nginx', ['-v']).catch(() => undefined);
  return nginx?.status === 0 ? undefined : 'nginx is not installed';
}

/**
 * What people build by hand: a bare repository whose hook runs `docker build` and `docker run`, waits until the app answers and
 * reloads nginx. Pushed to by path, without ssh, which is in its favour.
 */
export class DockerPeer {
  readonly folder = mkdtempSync(join(tmpdir(), 'paas-bench-docker-'));
  readonly checkout = join(this.folder, 'checkout');
  port = 0;
  #nginx: ReturnType<typeof spawn> | undefined;

  /** An image with Debian, Node and the app's dependencies, so that a build only copies the code. */
  async start(app: string): Promise<void> {
    this.port = await freePort();
    cpSync(app, this.checkout, { recursive: true });
    const node = join(this.folder, 'image');
    mkdirSync(join(node, 'usr/local/bin'), { recursive: true });
    cpSync(process.execPath, join(node, 'usr/local/bin/node'));
    shell(`{ tar -C '${requireBaseSystem()}' -c . ; } | docker import - ${BASE}:system`);
    cpSync(app, join(node, 'app'), { recursive: true });
    execFileSync('npm', ['ci', '--omit=dev', '--silent'], { cwd: join(node, 'app'), stdio: 'ignore' });
    writeFileSync(
      join(node, 'Dockerfile'),
      `FROM ${BASE}:system\nCOPY usr /usr\nCOPY app /app\nWORKDIR /app\n`,
    );
    docker(['build', '-q', '-t', `${BASE}:node`, node]);
    writeFileSync(
      join(this.checkout, 'Dockerfile'),
      `FROM ${BASE}:node\nCOPY . /app\nENV PORT=5000\nCMD ["node", "server.js"]\n`,
    );
    this.#makeRepository();
    this.#startNginx();
  }

  get(): Promise<{ body: string }> {
    return get(this.port, { path: '/', headers: { host: 'bench' } });
  }

  stop(): void {
    this.#nginx?.kill('SIGQUIT');
    shell(
      `docker ps -aq --filter ancestor=${APP} --filter label=paas-bench | xargs -r docker rm -f >/dev/null`,
    );
    shell(`docker rmi -f ${APP} ${BASE}:node ${BASE}:system >/dev/null 2>&1 || true`);
    rmSync(this.folder, { recursive: true, force: true });
  }

  #makeRepository(): void {
    const repository = join(this.folder, 'repository.git');
    execFileSync('git', ['init', '-q', '--bare', '-b', 'main', repository]);
    writeFileSync(join(repository, 'hooks', 'post-receive'), hook(this.folder), { mode: 0o755 });
    execFileSync('git', ['init', '-q', '-b', 'main', this.checkout]);
    execFileSync('git', ['-C', this.checkout, 'remote', 'add', 'paas', repository]);
  }

  #startNginx(): void {
    writeFileSync(join(this.folder, 'upstream.conf'), 'server 127.0.0.1:1;');
    writeFileSync(
      join(this.folder, 'nginx.conf'),
      `pid ${this.folder}/nginx.pid; error_log ${this.folder}/error.log; daemon off; user root;
       events {} http { access_log off; upstream app { include ${this.folder}/upstream.conf; }
       server { listen 127.0.0.1:${this.port}; location / { proxy_pass http://app; } } }`,
    );
    this.#nginx = spawn('nginx', ['-c', join(this.folder, 'nginx.conf')], { stdio: 'ignore' });
  }
}

function hook(folder: string): string {
  return `#!/bin/bash
set -e
tree=$(mktemp -d)
git archive main | tar -x -C "$tree"
docker build -q -t ${APP} "$tree" >/dev/null
old=$(docker ps -q --filter label=paas-bench)
new=$(docker run -d --label paas-bench ${APP})
ip=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$new")
until (exec 3<>"/dev/tcp/$ip/5000") 2>/dev/null; do sleep 0.01; done
echo "server $ip:5000;" > ${folder}/upstream.conf
kill -HUP "$(cat ${folder}/nginx.pid)"
rm -rf "$tree"
[ -z "$old" ] || docker rm -f $old >/dev/null
`;
}

function docker(args: string[]): void {
  execFileSync('docker', args, { stdio: 'ignore' });
}

/** Only words of ours stand in these scripts. */
function shell(script: string): void {
  execFileSync('bash', ['-c', script], { stdio: ['ignore', 'ignore', 'inherit'] });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
