import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { after, before, describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { engineSuite } from './engine-suite.ts';

const COMPOSE = '/usr/bin/docker-compose';

/** The database is well after a second only; the web server waits for that. */
const FILE = `
version: '2.4'
services:
  db:
    image: ${BASE}
    command: sh -c 'sleep 1; touch /tmp/up; sleep 999'
    restart: unless-stopped
    healthcheck: { test: 'test -e /tmp/up', interval: 0.3s, retries: 300 }
    mem_limit: 64m
    mem_reservation: 32m
    cpus: 0.5
    cpu_shares: 300
    pids_limit: 40
    ulimits: { nofile: { soft: 100, hard: 200 }, nproc: 300 }
    sysctls: { net.core.somaxconn: 55 }
    tmpfs: [ '/tmp', '/x:size=1m' ]
    read_only: true
    oom_score_adj: 7
    stop_grace_period: 0s
    network_mode: bridge
  web:
    image: ${BASE}
    command: sleep 999
    restart: always
    stop_grace_period: 0s
    network_mode: bridge
    depends_on: { db: { condition: service_healthy } }
`;

describe('docker-compose with limits, health checks and restart policies', function () {
  this.timeout(240_000);
  const engine = engineSuite([COMPOSE]);
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'paas-compose-'));
    writeFileSync(join(folder, 'docker-compose.yml'), FILE);
  });

  after(() => {
    if (folder) rmSync(folder, { recursive: true });
  });

  async function compose(...args: string[]): Promise<string> {
    const env = { ...process.env, DOCKER_HOST: `unix://${join(engine.root, 'run', 'docker.sock')}` };
    const { stdout } = await promisify(execFile)(COMPOSE, ['-p', 'life', ...args], { cwd: folder, env });
    return stdout;
  }

  it('brings up, pauses, restarts and takes down two services of which one waits for the other', async () => {
    await compose('up', '-d');
    assert.match(await compose('ps'), /life_db_1 .* Up \(healthy\)/);
    const { HostConfig } = await engine.docker.getContainer('life_db_1').inspect();
    assert.deepEqual(
      [HostConfig.Memory, HostConfig.MemoryReservation, HostConfig.NanoCpus, HostConfig.PidsLimit],
      [64 << 20, 32 << 20, 5e8, 40],
    );
    const look = 'ulimit -n; cat /proc/sys/net/core/somaxconn; touch /etc/x 2>&1; true';
    assert.match(await compose('exec', '-T', 'db', 'sh', '-c', look), /^100\n55\n.*Read-only/);
    await compose('pause');
    assert.match(await compose('ps'), /life_db_1 .* Paused(?:.|\n)*life_web_1 .* Paused/);
    await compose('unpause');
    assert.match(await compose('top'), /sleep 999/);
    const pid = async () => (await engine.docker.getContainer('life_web_1').inspect()).State.Pid;
    const before = await pid();
    await compose('restart', 'web');
    assert.notEqual(await pid(), before);
    await compose('down');
    assert.deepEqual(await engine.docker.listContainers({ all: true }), []);
  });
});
