import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

describe('the docker client against our engine', function () {
  this.timeout(30_000);
  const engine = engineSuite([DOCKER]);

  it('docker run passes output, errors and the exit code on', async () => {
    const run = await engine.client('run', '--rm', BASE, 'sh', '-c', 'id -u; exit 3');
    assert.deepEqual([run.stdout, run.code], ['70000\n', 3]);
    const missing = await engine.client('run', BASE, '/nonesuch');
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /nonesuch/);
  });

  it('docker run --cidfile writes the id down', async () => {
    const file = join(engine.root, 'cid');
    await engine.output('run', '--name', 'noted', '--cidfile', file, BASE, 'true');
    assert.equal(await engine.output('inspect', '-f', '{{.Id}}', 'noted'), `${readFileSync(file)}\n`);
  });

  it('docker run --hostname and --domainname name it, and one without has no domain', async () => {
    const look = 'cat /proc/sys/kernel/domainname; hostname -f';
    const named = ['--hostname', 'web', '--domainname', 'example.com'];
    assert.equal(
      await engine.output('run', '--rm', ...named, BASE, 'sh', '-c', look),
      'example.com\nweb.example.com\n',
    );
    const without = await engine.output('run', '--rm', '--hostname', 'web', BASE, 'sh', '-c', look);
    assert.equal(without, '(none)\nweb\n');
    const refused = await engine.client('run', '--rm', '--domainname', 'a b', BASE, 'true');
    assert.match(refused.stderr, /"a b" is not a domain name/);
  });

  it('docker run --cap-add ALL gives root all capabilities but those that are dropped, and an unknown one is refused', async () => {
    const look = ['sh', '-c', 'grep ^CapEff /proc/self/status'];
    const asked = ['-u', 'root', '--cap-add', 'ALL', '--cap-drop', 'NET_RAW'];
    const [, effective] = (await engine.output('run', '--rm', ...asked, BASE, ...look)).split(/\s+/);
    const NET_RAW = 13n;
    assert.equal((BigInt(`0x${effective}`) | (1n << NET_RAW)).toString(2).replace(/1/g, ''), '');
    assert.equal((BigInt(`0x${effective}`) >> NET_RAW) & 1n, 0n);
    for (const flag of ['--cap-add', '--cap-drop']) {
      const refused = await engine.client('run', '--rm', flag, 'FOO', BASE, 'true');
      assert.equal(refused.code, 125);
      assert.match(refused.stderr, /unknown capability: "CAP_FOO"/);
    }
  });

  it('docker run -i passes stdin on', async () => {
    const env = { ...process.env, DOCKER_HOST: `unix://${join(engine.root, 'run', 'docker.sock')}` };
    const client = spawn('docker', ['run', '-i', '--rm', BASE, 'sh', '-c', 'cat; echo end'], { env });
    client.stdin.end('from stdin\n');
    assert.equal(await text(client.stdout), 'from stdin\nend\n');
  });

  it('docker run -it has a terminal', () => {
    const output = engine.atTerminal(`docker run --rm -it ${BASE} sh -c 'tty; [ -t 0 ] && echo terminal'`);
    assert.match(output, /\/dev\/pts\/0\r\nterminal\r\n/);
  });

  it('a terminal takes the size that it is given, before and after the start', async () => {
    const container = await engine.docker.createContainer({
      Image: BASE,
      Cmd: ['sh'],
      Tty: true,
      OpenStdin: true,
    });
    const terminal = await container.attach({ stream: true, stdin: true, stdout: true, hijack: true });
    await container.resize({ h: 33, w: 99 });
    await container.start();
    terminal.write('stty size\n');
    await new Promise((resolve) => setTimeout(resolve, 300));
    await container.resize({ h: 44, w: 111 });
    terminal.write('stty size; exit\n');
    const output = await text(terminal);
    assert.match(output, /33 99\r\n.*44 111\r\n/s);
  });

  it('docker ps, logs -f, exec, inspect, stop and rm work', async () => {
    const script = 'echo one; sleep 0.5; echo two; sleep 100';
    assert.equal(
      (await engine.client('run', '-d', '--name', 'web', '-l', 'app=demo', BASE, 'sh', '-c', script)).code,
      0,
    );
    const listed = await engine.client(
      'ps',
      '--filter',
      'label=app=demo',
      '--format',
      '{{.Names}} {{.State}}',
    );
    assert.equal(listed.stdout, 'web running\n');
    const executed = await engine.client(
      'exec',
      '-e',
      'A=1',
      'web',
      'sh',
      '-c',
      'echo $A; echo problem >&2; exit 4',
    );
    assert.deepEqual([executed.stdout, executed.stderr, executed.code], ['1\n', 'problem\n', 4]);
    assert.match(engine.atTerminal(`docker exec -it web sh -c 'tty; id -un'`), /\/dev\/pts\/\d+\r\napp\r\n/);
    const address = await engine.client('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'web');
    assert.match(address.stdout, /^172\.28\.\d+\.\d+\n$/);
    const followed = engine.client('logs', '-f', 'web');
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal((await engine.client('stop', '-t', '1', 'web')).code, 0);
    assert.equal((await followed).stdout, 'one\ntwo\n');
    assert.match((await engine.client('ps', '-a', '--format', '{{.Status}}')).stdout, /^Exited \(143\)/);
    assert.equal((await engine.client('rm', 'web')).code, 0);
  });

  it('docker commit makes an image with what was written; root is without capabilities unless they are asked for', async () => {
    const chown = ['run', '--name', 'step', '-u', 'root', '--cap-add', 'CHOWN', BASE];
    const step = await engine.client(
      ...chown,
      'sh',
      '-c',
      'echo made > /opt/made; chown app /opt/made; rm /etc/motd',
    );
    assert.deepEqual([step.code, step.stderr], [0, '']);
    assert.equal((await engine.client('commit', 'step', 'test/made:v1')).code, 0);
    const result = await engine.client(
      'run',
      '--rm',
      'test/made:v1',
      'sh',
      '-c',
      'cat /opt/made; ls /etc/motd',
    );
    assert.equal(result.stdout, 'made\n');
    assert.match(result.stderr, /motd.*No such file/);
    const bare = await engine.client('run', '--rm', '-u', 'root', BASE, 'chown', 'app', '/opt');
    assert.notEqual(bare.code, 0);
    await engine.client('rm', 'step');
    assert.match((await engine.client('rmi', 'test/made:v1')).stdout, /Deleted/);
    const left = await engine.client('images', '-q');
    assert.equal(left.stdout.trim().split('\n').length, 1);
  });

  it('docker version and info know the server', async () => {
    assert.match((await engine.client('version')).stdout, /Server: paas runtime/);
    assert.match((await engine.client('info')).stdout, /Operating System: paas/);
  });

  it('a started container continues after a commit', async () => {
    await engine.client(
      'run',
      '--name',
      'step',
      '-u',
      'root',
      BASE,
      'sh',
      '-c',
      'cat /opt/count; echo x >> /opt/count',
    );
    await engine.client('commit', 'step', 'test/step:v1');
    const again = await engine.client('start', '-a', 'step');
    assert.equal(again.stdout, 'x\n');
    await engine.client('rm', 'step');
    await engine.client('rmi', 'test/step:v1');
  });
});
