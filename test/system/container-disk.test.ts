import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterEach, describe, it } from 'mocha';
import { diskImage } from '../../runtime/containers/disk/disk-folders.ts';
import { loopDevicesOf } from '../../runtime/containers/disk/loop-usage.ts';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

describe('a container with a disk of its own', function () {
  this.timeout(120_000);
  const engine = engineSuite(['/dev/loop-control', DOCKER]);

  afterEach(async () => {
    const left = await eventually(
      () => traces(engine.root),
      (found) => found.length === 0,
    );
    assert.deepEqual(left, []);
  });

  const sized = (size: string, ...args: string[]) => ['run', '--storage-opt', `size=${size}`, ...args];

  it('is told by ENOSPC that it is full, shows it in df, and goes on when there is room again', async () => {
    const script = `
      df -m / | awk 'NR==2 {print ($2 > 20 && $2 <= 32) ? "df fits" : $0}'
      dd if=/dev/zero of=/tmp/big bs=1M count=100 2>&1 | grep -o 'No space left'
      rm /tmp/big; echo again > /tmp/small && cat /tmp/small`;
    const run = await engine.client(...sized('32M', '--rm', BASE, 'sh', '-c', script));
    assert.deepEqual([run.stdout, run.code], ['df fits\nNo space left\nagain\n', 0]);
  });

  it('without a size writes as much as it likes: the control of the test before', async () => {
    const script = 'dd if=/dev/zero of=/tmp/big bs=1M count=100 2>&1 | grep -c "No space left"; rm /tmp/big';
    const run = await engine.client('run', '--rm', BASE, 'sh', '-c', script);
    assert.equal(run.stdout, '0\n');
  });

  it('has a limited number of files', async () => {
    const script =
      'cd /tmp; i=0; while [ $i -lt 9000 ] && : > $i; do i=$((i+1)); done 2>&1 | grep -o "No space left"';
    const run = await engine.client(...sized('32M', '--rm', BASE, 'sh', '-c', script));
    assert.match(run.stdout, /No space left/);
  });

  it('has no large folios, and lets nobody encrypt', async () => {
    const ADD_KEY = '0xc0506617';
    const ask = `for (@ARGV) { open(my $f, "<", $_) or die; ioctl($f, ${ADD_KEY}, my $key = "\\0" x 80); printf "%d ", $! }`;
    const script = `touch /tmp/file; exec perl -e '${ask}' / /tmp /tmp/file`;
    const run = await engine.client(...sized('32M', '--name', 'asks', BASE, 'sh', '-c', script));
    assert.deepEqual([run.stdout.trim().split(' ').map(Number), run.stderr], [[25, 25, 25], ''], 'ENOTTY');
    const { Id } = await engine.docker.getContainer('asks').inspect();
    const image = readFileSync(diskImage(join(engine.root, 'data', 'runtime', 'containers', Id)));
    // s_feature_incompat: INCOMPAT_ENCRYPT.
    assert.equal(image.readUInt32LE(1024 + 0x60) & 0x10000, 0x10000);
  });

  it('has its blocks allocated by who writes', async () => {
    await engine.client(...sized('32M', '-d', '--name', 'writes', BASE, 'sleep', '100'));
    const { Id } = await engine.docker.getContainer('writes').inspect();
    const [device] = loopDevicesOf(diskImage(join(engine.root, 'data', 'runtime', 'containers', Id)));
    assert.match(readFileSync(`/proc/fs/ext4/${basename(device!)}/options`, 'utf8'), /^nodelalloc$/m);
    await engine.client('rm', '-f', 'writes');
  });

  it('keeps its files from start to start', async () => {
    await engine.client(
      ...sized('64M', '--name', 'kept', BASE, 'sh', '-c', 'echo x >> /tmp/file; cat /tmp/file'),
    );
    assert.equal((await engine.client('start', '-a', 'kept')).stdout, 'x\nx\n');
  });

  it('goes on after the runtime was killed, and can be started again', async () => {
    await engine.client(
      ...sized('64M', '-d', '--name', 'lives', BASE, 'sh', '-c', 'echo x >> /tmp/file; sleep 100'),
    );
    await engine.end('SIGKILL');
    await engine.start();
    const exec = await engine.client('exec', 'lives', 'sh', '-c', 'echo y >> /tmp/file; cat /tmp/file');
    assert.equal(exec.stdout, 'x\ny\n');
    await engine.client('restart', '-t', '0', 'lives');
    assert.equal((await engine.client('exec', 'lives', 'cat', '/tmp/file')).stdout, 'x\ny\nx\n');
  });

  it('docker diff shows what was written and removed, while it runs, later, and of one that never did', async () => {
    const script = 'echo new > /opt/made; rm /etc/debian_version; echo ready; sleep 99';
    const shown = 'C /etc\nD /etc/debian_version\nC /opt\nA /opt/made\n';
    await engine.output('create', '--storage-opt', 'size=64M', '--name', 'new', BASE, 'true');
    assert.equal(await engine.output('diff', 'new'), '');
    await engine.output('run', '--name', 'quiet', BASE, 'true');
    assert.equal(await engine.output('diff', 'quiet'), '');
    await engine.output(...sized('64M', '-d', '--name', 'writer', '-u', 'root', BASE, 'sh', '-c', script));
    while (!(await engine.output('logs', 'writer')).includes('ready'));
    assert.equal(await engine.output('diff', 'writer'), shown);
    await engine.output('kill', 'writer');
    await engine.output('wait', 'writer');
    assert.equal(await engine.output('diff', 'writer'), shown);
    await engine.output('start', 'writer');
  });

  it('can be committed: what it wrote and removed is in the image, and it goes on from there', async () => {
    const script =
      'mkdir /opt/made; echo new > /opt/made/file; ln /opt/made/file /opt/made/link; rm /etc/motd; rm -r /srv; mkdir /srv; chown app /opt/made';
    const root = ['-u', 'root', '--cap-add', 'CHOWN'];
    const step = await engine.client(...sized('64M', '--name', 'step', ...root, BASE, 'sh', '-c', script));
    assert.deepEqual([step.code, step.stderr], [0, '']);
    assert.equal((await engine.client('commit', 'step', 'test/disk:v1')).code, 0);
    const look =
      'stat -c "%n %U %h" /opt/made /opt/made/file; cat /opt/made/link; ls -d /etc/motd 2>&1 | wc -l; ls -A /srv';
    const result = await engine.client('run', '--rm', 'test/disk:v1', 'sh', '-c', look);
    assert.equal(result.stdout, '/opt/made app 2\n/opt/made/file root 2\nnew\n1\n');
    assert.match((await engine.client('inspect', 'step')).stdout, /"StorageOpt": {\s+"size": "67108864"/);
    const again = await engine.client('start', '-a', 'step');
    assert.match(again.stderr + again.stdout, /File exists/);
    await engine.client('rm', 'step');
    assert.equal((await engine.client('rmi', 'test/disk:v1')).code, 0);
  });

  it('has a size also where it has no disk yet, or none any more', async () => {
    const folder = join(engine.root, 'bound');
    mkdirSync(folder);
    const bind = ['-v', `${folder}:/bound`];
    await engine.output('create', '--storage-opt', 'size=64M', '--name', 'failed', ...bind, BASE, 'true');
    rmSync(folder, { recursive: true });
    assert.notEqual((await engine.client('start', 'failed')).code, 0);
    await engine.client(...sized('64M', '--name', 'step', BASE, 'sh', '-c', 'echo x > /tmp/file'));
    await engine.output('commit', 'step', 'test/disk:v2');
    const sizes = await engine.output('ps', '-as', '--format', '{{.Names}} {{.Size}}');
    assert.match(sizes, /^step 0B .*\nfailed 0B /);
    assert.match(await engine.output('system', 'df'), /^Containers +2 /m);
    await engine.output('rm', 'step', 'failed');
    await engine.output('rmi', 'test/disk:v2');
  });

  it('is one device, also while it is measured and started', async () => {
    const script = 'cd /tmp; mkdir $(seq 2000); echo ready; sleep 99';
    await engine.output(...sized('64M', '-d', '--name', 'one', BASE, 'sh', '-c', script));
    while (!(await engine.output('logs', 'one')).includes('ready'));
    const container = engine.docker.getContainer('one');
    const { Id } = await container.inspect();
    const image = diskImage(join(engine.root, 'data', 'runtime', 'containers', Id));
    let most = 0;
    const look = setInterval(() => {
      most = Math.max(most, loopDevicesOf(image).length);
    }, 1);
    for (let round = 0; round < 4; round++) {
      await container.stop({ t: 0 });
      const size = () => container.inspect({ size: true } as object);
      const measured = [size(), size()];
      await new Promise((resolve) => setTimeout(resolve, round));
      await Promise.all([...measured, container.start()]);
    }
    clearInterval(look);
    assert.equal(most, 1);
  });

  it('is refused with a size that makes no sense', async () => {
    for (const size of ['1', '0', '-1', '2000T', '1e9', 'x', '9'.repeat(40)]) {
      const run = await engine.client(...sized(size, '--rm', BASE, 'true'));
      assert.equal(run.code, 125);
      assert.match(run.stderr, /StorageOpt size/);
    }
  });
});

/** Loop devices and mounts with something of this folder. */
function traces(folder: string): string[] {
  const devices = readdirSync('/sys/block').flatMap((name) => {
    const path = join('/sys/block', name, 'loop/backing_file');
    return existsSync(path) ? [readFileSync(path, 'utf8')] : [];
  });
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return [...devices, ...mounts].filter((line) => line.includes(folder));
}

async function eventually<T>(look: () => T, isRight: (value: T) => boolean): Promise<T> {
  for (let attempt = 0; attempt < 200 && !isRight(look()); attempt++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return look();
}
