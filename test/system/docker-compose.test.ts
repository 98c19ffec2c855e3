import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { after, before, describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { engineSuite } from './engine-suite.ts';

const COMPOSE = '/usr/bin/docker-compose';

/** Two services of local images: one asks the other by its name, and keeps what it heard in a volume. */
const APPLICATION = `
version: "3.8"
services:
  store:
    image: ${BASE}
    command: ["perl", "/config/server.pl"]
    environment:
      GREETING: hello from the store
    networks: [back]
    volumes: ["data:/data", "./config:/config:ro"]
    stop_grace_period: 1s
  web:
    image: ${BASE}
    depends_on: [store]
    command:
      - bash
      - -c
      - |
        for i in 1 2 3 4 5 6 7 8 9; do exec 3<>/dev/tcp/store/6000 && break; sleep 0.3; done
        read -r line <&3; echo "web heard: $$line" | tee /shared/heard; cat /config/file; exec sleep 1000
    networks: [back, front]
    volumes:
      - shared:/shared
      - type: bind
        source: ./config
        target: /config
        read_only: true
      - /scratch
    labels: { tier: web }
    stop_grace_period: 1s
networks:
  back: {}
  front: {}
volumes:
  data: {}
  shared:
    labels: { kept: "yes" }
`;

const SERVER = `
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 6000, Listen => 9, ReuseAddr => 1) or die;
while (my $client = $server->accept) { print $client "$ENV{GREETING}\\n"; close $client }
`;

describe('docker-compose', function () {
  this.timeout(300_000);
  const engine = engineSuite([COMPOSE]);
  let folder: string;

  before(async () => {
    folder = mkdtempSync('/var/tmp/paas-compose-');
    mkdirSync(join(folder, 'config'));
    writeFileSync(join(folder, 'config', 'file'), 'of the host\n');
    // The apps' user reads it.
    for (const path of [folder, join(folder, 'config')]) await promisify(execFile)('chmod', ['755', path]);
    writeFileSync(join(folder, 'config', 'server.pl'), SERVER);
    writeFileSync(join(folder, 'docker-compose.yml'), APPLICATION);
  });

  after(() => {
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  async function compose(...args: string[]): Promise<string> {
    const env = {
      ...process.env,
      DOCKER_HOST: `unix://${join(engine.root, 'run', 'docker.sock')}`,
      COMPOSE_HTTP_TIMEOUT: '200',
    };
    const all = ['--no-ansi', '--project-name', 'demo', ...args];
    const { stdout, stderr } = await promisify(execFile)(COMPOSE, all, {
      cwd: folder,
      env,
      timeout: 200_000,
    });
    return stdout + stderr;
  }

  async function logged(service: string, text: string): Promise<void> {
    for (let attempt = 0; attempt < 60; attempt++) {
      if ((await compose('logs', service)).includes(text)) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    assert.fail(`"${text}" is not in the log of ${service}: ${await compose('logs')}`);
  }

  it('brings an application of two services up, shows its logs, changes it, and takes it down', async () => {
    await compose('up', '-d');
    await logged('web', 'web heard: hello from the store');
    await logged('web', 'of the host');
    const listed = await compose('ps');
    assert.match(listed, /demo_store_1.*Up/);
    assert.match(listed, /demo_web_1.*Up/);
    assert.match(await compose('exec', '-T', 'web', 'cat', '/shared/heard'), /hello from the store/);
    const networks = (await engine.client('network', 'ls', '--format', '{{.Name}}')).stdout;
    assert.match(networks, /demo_back/);
    // The same again changes nothing; a change makes a new container, which keeps the volumes.
    assert.match(await compose('up', '-d'), /up-to-date/);
    writeFileSync(
      join(folder, 'docker-compose.override.yml'),
      'version: "3.8"\nservices: { web: { environment: { CHANGED: "1" } } }\n',
    );
    assert.match(await compose('up', '-d'), /Recreating demo_web_1/);
    assert.match(
      await compose('exec', '-T', 'web', 'sh', '-c', 'echo $CHANGED; cat /shared/heard'),
      /^1\nweb heard/,
    );
    await compose('stop');
    assert.match(await compose('ps'), /demo_web_1.*Exit/);
    await compose('down', '-v');
    assert.equal((await engine.client('ps', '-aq')).stdout, '');
    assert.equal((await engine.client('volume', 'ls', '-q')).stdout, '');
    assert.doesNotMatch((await engine.client('network', 'ls', '--format', '{{.Name}}')).stdout, /demo/);
  });
});
