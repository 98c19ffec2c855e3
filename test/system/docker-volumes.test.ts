import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

describe('volumes with the docker client', function () {
  this.timeout(120_000);
  const engine = engineSuite([DOCKER]);
  let folder: string;

  before(() => {
    folder = fs.mkdtempSync('/var/tmp/paas-volumes-');
    fs.chmodSync(folder, 0o755);
  });

  after(() => {
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
  });

  const docker = (...args: string[]) => engine.output(...args);

  const volumes = async () => (await docker('volume', 'ls', '-q')).trim().split('\n').filter(Boolean);

  it('a volume outlives containers, is the app user’s, and is not removed while it is used', async () => {
    assert.equal(await docker('volume', 'create', '--label', 'a=b', 'data'), 'data\n');
    await docker('run', '--rm', '-v', 'data:/data', BASE, 'sh', '-c', 'echo kept > /data/file');
    await engine.client(
      'run',
      '--name',
      'user',
      '-v',
      'data:/data:ro',
      BASE,
      'sh',
      '-c',
      'cat /data/file; echo x > /data/file',
    );
    assert.equal((await engine.client('logs', 'user')).stdout, 'kept\n');
    for (const force of [[], ['-f']])
      assert.match((await engine.client('volume', 'rm', ...force, 'data')).stderr, /volume is in use/);
    const [inspected] = JSON.parse(await docker('volume', 'inspect', 'data'));
    assert.deepEqual([inspected.Labels, inspected.Driver], [{ a: 'b' }, 'local']);
    assert.equal(fs.readFileSync(join(inspected.Mountpoint, 'file'), 'utf8'), 'kept\n');
    assert.equal(fs.statSync(join(inspected.Mountpoint, '..')).mode & 0o777, 0o700);
    const mount = await docker(
      'inspect',
      '-f',
      '{{range .Mounts}}{{.Name}} {{.Destination}} {{.RW}}{{end}}',
      'user',
    );
    assert.equal(mount, 'data /data false\n');
    await docker('rm', 'user');
    await docker('volume', 'rm', 'data');
    assert.deepEqual(await volumes(), []);
    assert.match((await engine.client('volume', 'rm', 'data')).stderr, /no such volume/);
    assert.equal(await docker('volume', 'rm', '-f', 'data'), 'data\n');
  });

  it('a new volume gets the files of the image with their owners and modes, and only once', async () => {
    const script =
      'mkdir -m 2750 /opt/seed; cd /opt/seed; echo 1 > one; chmod 600 one; ln -s one link; chown -h app: one .';
    await docker(
      'run',
      '--name',
      'step',
      '-u',
      'root',
      '--cap-add',
      'CHOWN',
      '--cap-add',
      'FOWNER',
      '--cap-add',
      'FSETID',
      BASE,
      'sh',
      '-c',
      script,
    );
    await docker('commit', '-c', 'VOLUME /opt/seed', '-c', 'USER app', 'step', 'seeded');
    const list = ['sh', '-c', 'cd /opt/seed; stat -c "%n %a %u" . one; cat link; rm -f link'];
    const expected = '. 2750 70000\none 600 70000\n1\n';
    assert.equal(await docker('run', '--rm', '-v', 'seed:/opt/seed', 'seeded', ...list), expected);
    const again = ['sh', '-c', 'ls /opt/seed; rm -rf /opt/seed/*'];
    assert.equal(await docker('run', '--rm', '-v', 'seed:/opt/seed', 'seeded', ...again), 'one\n');
    assert.equal(await docker('run', '--rm', '-v', 'seed:/opt/seed', 'seeded', 'ls', '/opt/seed'), '');
    assert.equal(
      await docker(
        'run',
        '--rm',
        '--mount',
        'type=volume,src=bare,dst=/opt/seed,volume-nocopy',
        'seeded',
        'ls',
        '/opt/seed',
      ),
      '',
    );
    // Two at once: one fills it, the other waits.
    const both = await Promise.all(
      ['x', 'y'].map(() => docker('run', '--rm', '-v', 'both:/opt/seed', 'seeded', 'cat', '/opt/seed/one')),
    );
    assert.deepEqual(both, ['1\n', '1\n']);
    await docker('rm', 'step');
    await docker('rmi', 'seeded');
    await docker('volume', 'rm', 'seed', 'bare', 'both');
  });

  it('volumes without a name go with their container if asked to, and by prune', async () => {
    await docker('run', '--rm', '-v', '/scratch', BASE, 'touch', '/scratch/x');
    assert.deepEqual(await volumes(), []);
    await docker('run', '--name', 'kept', '-v', '/scratch', '-v', 'named:/named', BASE, 'true');
    assert.equal((await volumes()).length, 2);
    await docker('rm', 'kept');
    assert.equal((await volumes()).length, 2);
    await docker('run', '--name', 'gone', '-v', '/scratch', BASE, 'true');
    await docker('rm', '-v', 'gone');
    assert.equal((await volumes()).length, 2);
    assert.match(await docker('volume', 'prune', '-f'), /Total reclaimed space/);
    assert.deepEqual(await volumes(), ['named']);
    await docker('volume', 'prune', '-f', '-a');
    assert.deepEqual(await volumes(), []);
  });

  it('each of a hundred volumes is in its place', async () => {
    const names = Array.from({ length: 100 }, (_, index) => `many${index}`);
    const args = names.flatMap((name) => ['-v', `${name}:/${name}`]);
    await docker('run', '--rm', ...args, BASE, 'sh', '-c', 'for v in /many*; do echo $v > $v/name; done');
    for (const name of names)
      assert.equal(fs.readFileSync(join(engine.root, 'data/volumes', name, 'name'), 'utf8'), `/${name}\n`);
    await docker('volume', 'rm', ...names);
  });

  it('--mount mounts volumes, folders of the host and memory', async () => {
    fs.writeFileSync(join(folder, 'file'), 'of the host\n');
    const mounts = [
      'type=volume,src=logs,dst=/logs',
      `type=bind,src=${folder},dst=/host,readonly`,
      'type=tmpfs,dst=/memory,tmpfs-size=1m',
    ];
    const script =
      'cat /host/file; touch /host/x; grep -c "^tmpfs /memory" /proc/mounts; touch /logs/x && echo written';
    const args = mounts.flatMap((mount) => ['--mount', mount]);
    const run = await engine.client('run', '--rm', ...args, BASE, 'sh', '-c', script);
    assert.match(run.stdout, /^of the host\n.*written\n$/s);
    assert.match(run.stderr, /Read-only file system/);
    await docker('volume', 'rm', 'logs');
    for (const source of ['/', '/proc', engine.root, join(engine.root, 'run', 'docker.sock')]) {
      const { code, stderr } = await engine.client('run', '--rm', '-v', `${source}:/x`, BASE, 'true');
      assert.ok(code === 125 && /cannot be mounted into a container/.test(stderr), stderr);
    }
    assert.equal((await engine.client('run', '--rm', '-v', 'x:/proc', BASE, 'true')).code, 125);
    fs.symlinkSync('/etc', join(folder, 'link'));
    const linked = await engine.client('run', '--rm', '-v', `${folder}/link:/x`, BASE, 'true');
    assert.match(linked.stderr, /symbolic link/);
  });

  it('a target that is a symbolic link leads nowhere but into the container, however often it changes', async () => {
    const outside = fs.mkdtempSync(join(tmpdir(), 'paas-outside-'));
    try {
      fs.writeFileSync(join(outside, 'marker'), 'safe');
      await docker('run', '--name', 'step', '-u', 'root', BASE, 'ln', '-s', outside, '/way');
      await docker('commit', 'step', 'linked');
      await docker('volume', 'create', 'shared');
      // One container swaps the folder that the next ones mount into.
      const swap = `cd /shared; while :; do mkdir -p t; rmdir t; ln -s ${outside} t; rm t; done`;
      await docker('run', '-d', '--name', 'swap', '-v', 'shared:/shared', BASE, 'sh', '-c', swap);
      const script = 'echo attacked > /shared/t/marker; echo attacked > /way/marker; true';
      for (let run = 0; run < 1000; run += 50) {
        const created = await Promise.all(
          Array.from({ length: 50 }, () =>
            engine.docker.createContainer({
              Image: 'linked',
              Cmd: ['sh', '-c', script],
              HostConfig: {
                Binds: ['shared:/shared', 'inner:/shared/t', 'other:/way'],
                NetworkMode: 'none',
                AutoRemove: true,
              },
            }),
          ),
        );
        await Promise.all(
          created.map(async (container) => {
            const ended = container.wait({ condition: 'removed' }).catch(() => {});
            await container.start().catch(() => {});
            await ended;
          }),
        );
      }
      assert.deepEqual(fs.readdirSync(outside), ['marker']);
      assert.equal(fs.readFileSync(join(outside, 'marker'), 'utf8'), 'safe');
      const mounts = fs.readFileSync('/proc/mounts', 'utf8').split('\n');
      assert.deepEqual(
        mounts.filter((line) => line.includes(outside) || line.includes(engine.root)),
        [],
      );
      // Without care the same link is followed out of the container: to where the volume is on the host.
      const pid = (await docker('inspect', '-f', '{{.State.Pid}}', 'swap')).trim();
      fs.symlinkSync(outside, `/proc/${pid}/root/shared/trap`);
      assert.equal(fs.readFileSync(`/proc/${pid}/root/shared/trap/marker`, 'utf8'), 'safe');
    } finally {
      fs.rmSync(outside, { recursive: true, force: true });
    }
  });
});
