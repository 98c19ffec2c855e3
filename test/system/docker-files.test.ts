import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { after, before, describe, it } from 'mocha';
import { TarReader } from '../../runtime/files/tar-reader.ts';
import { type Member, tarOf } from '../runtime/files/tar-fixture.ts';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

describe('images and files with the docker client', function () {
  this.timeout(120_000);
  const engine = engineSuite([DOCKER]);
  let folder: string;

  before(async () => {
    folder = fs.mkdtempSync(join(tmpdir(), 'paas-files-'));
    fs.writeFileSync(at('tiny.tar'), tarOf({ name: 'etc/motd', content: 'welcome\n' }, { name: 'opt/a' }));
    await docker('import', '-c', 'CMD ["/none"]', at('tiny.tar'), 'tiny:v1');
  });

  after(() => {
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
  });

  function at(name: string): string {
    return join(folder, name);
  }

  /** Its output. Throws what it said if it failed. */
  const docker = (...args: string[]) => engine.output(...args);

  async function logged(name: string, text: string): Promise<void> {
    for (let attempt = 0; attempt < 50; attempt++) {
      if ((await docker('logs', name)).includes(text)) return;
    }
    assert.fail(`"${text}" is not in the log of ${name}.`);
  }

  function members(archive: string): { name: string; content: string }[] {
    const found: { name: string; content: string }[] = [];
    const reader = new TarReader({
      entry: ({ name }) => found.push({ name, content: '' }),
      data: (chunk) => {
        found.at(-1)!.content += chunk.toString('latin1');
      },
      end: () => {},
    });
    reader.push(fs.readFileSync(archive));
    reader.finish();
    return found;
  }

  it('what is saved has true digests, and loaded and saved again it is the same', async () => {
    await docker('create', '--name', 'step', 'tiny:v1');
    fs.writeFileSync(at('file'), 'copied in');
    await docker('cp', at('file'), 'step:/opt/file');
    const id = (await docker('commit', '-m', 'with a file', '-c', 'ENV A=1', 'step', 'tiny:v2')).trim();
    await docker('save', '-o', at('one.tar'), 'tiny:v2', 'tiny:v1');
    const saved = members(at('one.tar'));
    const blobs = saved.filter(({ name }) => name.startsWith('blobs/'));
    for (const { name, content } of blobs) {
      const digest = createHash('sha256').update(Buffer.from(content, 'latin1')).digest('hex');
      assert.equal(name, `blobs/sha256/${digest}`);
    }
    // Two layers, and a config and a manifest for each of the images.
    assert.equal(blobs.length, 6);
    await docker('rm', 'step');
    await docker('rmi', 'tiny:v1', 'tiny:v2');
    assert.equal((await engine.client('inspect', id)).code, 1);
    const said = await docker('load', '-i', at('one.tar'));
    assert.deepEqual(said.trim().split('\n').sort(), ['Loaded image: tiny:v1', 'Loaded image: tiny:v2']);
    await docker('save', '-o', at('two.tar'), 'tiny:v2', 'tiny:v1');
    assert.ok(fs.readFileSync(at('one.tar')).equals(fs.readFileSync(at('two.tar'))));
    const config = JSON.parse(await docker('inspect', 'tiny:v2'))[0];
    assert.deepEqual([config.Config.Env, config.RootFS.Layers.length], [['A=1'], 2]);
    assert.match(await docker('history', '--format', '{{.Comment}}', 'tiny:v2'), /^with a file\n/);
  });

  it('docker save of a repository without a tag saves all of its tags', async () => {
    for (const name of ['many:v1', 'many:v2', 'many/more:v3']) await docker('tag', 'tiny:v1', name);
    await docker('save', '-o', at('many.tar'), 'many', 'many:v1');
    await docker('rmi', 'many:v1', 'many:v2', 'many/more:v3');
    const said = await docker('load', '-i', at('many.tar'));
    assert.deepEqual(said.trim().split('\n').sort(), ['Loaded image: many:v1', 'Loaded image: many:v2']);
    await docker('rmi', 'many:v1', 'many:v2');
    assert.match((await engine.client('save', '-o', at('many.tar'), 'many')).stderr, /No such image: many/);
  });

  it('docker inspect tells the digests of an image’s layers, the same before and after it was saved', async () => {
    await docker('run', '--name', 'step', BASE, 'sh', '-c', 'echo text > /tmp/file');
    await docker('commit', 'step', 'digests:v1');
    const layers = async () =>
      JSON.parse(await docker('inspect', '-f', '{{json .RootFS.Layers}}', 'digests:v1'));
    const before = await layers();
    await docker('save', '-o', at('digests.tar'), 'digests:v1');
    assert.deepEqual(await layers(), before);
    const members = execFileSync('tar', ['-tf', at('digests.tar')], { encoding: 'utf8' }).split('\n');
    assert.equal(before.length, 2);
    for (const digest of before) assert.ok(members.includes(`blobs/${digest.replace(':', '/')}`), digest);
  });

  it('docker load takes the OCI’s layout, compressed too, and refuses what does not agree with its digests', async () => {
    const layer = gzipSync(tarOf({ name: 'from/oci', content: 'x' }));
    const layout = ociLayout({ layer, diffId: digestOf(tarOf({ name: 'from/oci', content: 'x' })) });
    fs.writeFileSync(at('oci.tar'), gzipSync(tarOf(...layout)));
    assert.equal(await docker('load', '-i', at('oci.tar')), 'Loaded image: from/oci:v1\n');
    await docker('create', '--name', 'oci', 'from/oci:v1', '/none');
    await docker('cp', 'oci:/from/oci', at('out'));
    assert.equal(fs.readFileSync(at('out'), 'utf8'), 'x');
    const lie = ociLayout({ layer, diffId: digestOf(Buffer.from('something else')) });
    fs.writeFileSync(at('lie.tar'), tarOf(...lie));
    const refused = await engine.client('load', '-i', at('lie.tar'));
    assert.deepEqual(
      [refused.code, /is sha256:.*, not sha256:/.test(refused.stderr)],
      [1, true],
      refused.stderr,
    );
    fs.writeFileSync(at('none.tar'), tarOf({ name: 'readme' }));
    assert.match(
      (await engine.client('load', '-i', at('none.tar'))).stderr,
      /neither manifest.json nor index/,
    );
    const wayOut = [{ name: 'manifest.json', type: 'symlink', linkName: '/etc/passwd' } as const];
    fs.writeFileSync(at('escape.tar'), tarOf(...wayOut));
    assert.match((await engine.client('load', '-i', at('escape.tar'))).stderr, /neither manifest.json nor/);
    assert.deepEqual(fs.readdirSync(join(engine.root, 'data', 'runtime', 'incoming')), []);
  });

  it('docker cp, diff and export work with a container that runs, has run, or never did', async () => {
    fs.mkdirSync(at('tree/inner'), { recursive: true });
    fs.writeFileSync(at('tree/inner/file'), 'inner\n');
    fs.symlinkSync('inner/file', at('tree/link'));
    await docker('create', '--name', 'box', BASE, 'sh', '-c', 'cat /tmp/tree/link; exec sleep 100');
    await docker('cp', at('tree'), 'box:/tmp/');
    await docker('start', 'box');
    await docker('cp', at('tree/inner/file'), 'box:/tmp/second');
    assert.equal(await docker('exec', 'box', 'cat', '/tmp/second'), 'inner\n');
    await logged('box', 'inner');
    await docker('exec', '-u', 'root', 'box', 'rm', '/etc/motd');
    const changes = ['C /etc', 'D /etc/motd', 'C /tmp', 'A /tmp/second', 'A /tmp/tree'];
    const inner = ['A /tmp/tree/inner', 'A /tmp/tree/inner/file', 'A /tmp/tree/link'];
    for (const state of ['running', 'exited']) {
      fs.rmSync(at('back'), { recursive: true, force: true });
      await docker('cp', 'box:/tmp/tree/.', at('back'));
      assert.equal(fs.readlinkSync(at('back/link')), 'inner/file', state);
      assert.equal(fs.readFileSync(at('back/inner/file'), 'utf8'), 'inner\n', state);
      assert.deepEqual((await docker('diff', 'box')).trim().split('\n'), [...changes, ...inner], state);
      if (state === 'running') await docker('kill', 'box');
    }
    assert.match((await engine.client('cp', 'box:/none', at('x'))).stderr, /Could not find the file/);
    assert.match((await engine.client('cp', at('file'), 'box:/none/x')).stderr, /Could not find the file/);
    await docker('export', '-o', at('box.tar'), 'box');
    const exported = members(at('box.tar'));
    assert.ok(exported.some(({ name, content }) => name === 'tmp/second' && content === 'inner\n'));
    assert.ok(!exported.some(({ name }) => name === 'etc/motd'));
  });

  it('docker cp into what is read-only says so, whether the container runs or not', async () => {
    const mounts = ['-v', 'sealed:/opt/sealed:ro', '-v', 'open:/opt/open', '--tmpfs', '/run'];
    await docker('create', '--read-only', '--name', 'sealed', ...mounts, BASE, 'sleep', '100');
    fs.mkdirSync(at('deep/sealed'), { recursive: true });
    fs.writeFileSync(at('deep/sealed/x'), 'x');
    const said = async (from: string, to: string) =>
      (await engine.client('cp', from, `sealed:${to}`)).stderr.split(': ').at(-1)!.trim();
    for (const state of ['created', 'running']) {
      if (state === 'running') await docker('start', 'sealed');
      assert.equal(await said(at('file'), '/opt'), 'container rootfs is marked read-only', state);
      assert.equal(await said(at('file'), '/opt/sealed'), 'mounted volume is marked read-only', state);
      await docker('cp', at('file'), 'sealed:/opt/open');
    }
    await docker('cp', at('file'), 'sealed:/run');
    assert.equal(
      await docker('exec', 'sealed', 'ls', '/opt/open', '/run'),
      '/opt/open:\nfile\n\n/run:\nfile\n',
    );
    await docker('create', '--name', 'half', ...mounts, BASE, 'true');
    const { stderr } = await engine.client('cp', `${at('deep')}/.`, 'half:/opt');
    assert.match(stderr, /What is mounted there is read-only/);
  });

  it('docker commit copies what a running container has written, and it goes on', async () => {
    const script =
      'mkdir /opt/d; echo 1 > /opt/d/one; rm -r /etc/motd /media; mkdir /media; while :; do echo x >> /opt/d/log; sleep 0.01; done';
    await docker('run', '-d', '--name', 'busy', '-u', 'root', BASE, 'sh', '-c', script);
    for (let attempt = 0; attempt < 50; attempt++) {
      if ((await engine.client('exec', 'busy', 'test', '-s', '/opt/d/log')).code === 0) break;
    }
    for (const [name, pause] of [
      ['paused', 'true'],
      ['moving', 'false'],
    ]) {
      await docker('commit', `--pause=${pause}`, 'busy', `${name}:v1`);
      const look = [
        'sh',
        '-c',
        'cat /opt/d/one; ls /etc/motd 2>/dev/null; ls /media; test -s /opt/d/log && echo log',
      ];
      assert.equal(await docker('run', '--rm', `${name}:v1`, ...look), '1\nlog\n');
      assert.equal(await docker('inspect', '-f', '{{.State.Status}}', 'busy'), 'running\n');
    }
    const lines = async () => Number(await docker('exec', 'busy', 'sh', '-c', 'wc -l < /opt/d/log'));
    const before = await lines();
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok((await lines()) > before, 'it stands still');
    await docker('rm', '-f', 'busy');
    await docker('rmi', 'paused:v1', 'moving:v1');
  });

  it('root of a container gets what is copied in, though it is nobody outside', async () => {
    await docker('run', '-d', '--name', 'root', '-u', 'root', BASE, 'sleep', '100');
    fs.writeFileSync(at('mine'), 'x');
    await docker('cp', at('mine'), 'root:/root/mine');
    assert.equal(await docker('exec', 'root', 'stat', '-c', '%u', '/root/mine'), '0\n');
    await docker('exec', 'root', 'sh', '-c', 'echo y > /root/theirs');
    await docker('cp', '-a', 'root:/root/theirs', at('theirs'));
    assert.equal(fs.statSync(at('theirs')).uid, 0);
    await docker('cp', '-a', at('mine'), 'root:/root/again');
  });

  it('a file’s capabilities come into a running container and out again, whoever is root there', async () => {
    const attributes = { 'security.capability': '\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0' };
    fs.writeFileSync(at('ping.tar'), tarOf({ name: 'opt/ping', mode: 0o755, attributes }));
    fs.writeFileSync(at('odd.tar'), tarOf({ name: 'opt/odd', attributes: { 'security.capability': 'x' } }));
    for (const user of ['root', 'app']) {
      await docker('run', '-d', '--name', user, '-u', user, BASE, 'sleep', '100');
      const container = engine.docker.getContainer(user);
      await container.putArchive(at('ping.tar'), { path: '/' });
      const out = await container.getArchive({ path: '/opt/ping' });
      assert.deepEqual(attributesIn(await buffer(out)), [attributes], user);
      await docker('commit', user, 'capable:v1');
      const committed = await engine.docker.createContainer({ Image: 'capable:v1' });
      const copy = await committed.getArchive({ path: '/opt/ping' });
      assert.deepEqual(attributesIn(await buffer(copy)), [attributes], `${user}, committed`);
      await container.putArchive(at('odd.tar'), { path: '/' });
      assert.deepEqual(attributesIn(await buffer(await container.getArchive({ path: '/opt/odd' }))), [{}]);
    }
  });

  it('nothing of the host is read or written while a container swaps what is copied', async () => {
    fs.writeFileSync(at('marker'), 'of the host');
    // Not in /tmp itself: where fs.protected_symlinks is set, nobody follows another's link in a sticky folder.
    const swap = `mkdir -p /tmp/own/real; cd /tmp/own; echo inside > real/marker
      while :; do rm -rf d; ln -s ${folder} d; rm -f d; ln -s /proc/1/fd d; rm -f d; mv real d; mv d real; done`;
    await docker('run', '-d', '--name', 'swap', BASE, 'sh', '-c', swap);
    let copied = 0;
    // The folder is a real one for a small part of the time: more runs, until one has met it.
    for (let run = 0; run < 24 || (copied === 0 && run < 500); run++) {
      await engine.client('cp', at('file'), 'swap:/tmp/own/d/marker');
      const { code } = await engine.client('cp', 'swap:/tmp/own/d/marker', at('stolen'));
      if (code === 0) copied++;
      if (fs.existsSync(at('stolen'))) assert.notEqual(fs.readFileSync(at('stolen'), 'utf8'), 'of the host');
    }
    assert.equal(fs.readFileSync(at('marker'), 'utf8'), 'of the host');
    assert.ok(copied > 0, 'it was never copied');
    // Who follows the same links without care reads the host's file.
    await docker('exec', 'swap', 'ln', '-s', at('marker'), '/tmp/own/trap');
    const pid = (await docker('inspect', '-f', '{{.State.Pid}}', 'swap')).trim();
    assert.equal(fs.readFileSync(`/proc/${pid}/root/tmp/own/trap`, 'utf8'), 'of the host');
    assert.match(
      (await engine.client('cp', '-L', 'swap:/tmp/own/trap', at('stolen'))).stderr,
      /Could not find/,
    );
  });

  it('nothing of the host is counted while a container swaps what is measured', async () => {
    fs.mkdirSync(at('large'));
    fs.writeFileSync(at('large/file'), '');
    fs.truncateSync(at('large/file'), 2 ** 40);
    const swap = `mkdir -p /tmp/own/d; cd /tmp/own; head -c 5000 /dev/zero > once; ln once twice
      while :; do mv d real; ln -s ${at('large')} d; rm d; mv real d; done`;
    await docker('run', '-d', '--name', 'swap', BASE, 'sh', '-c', swap);
    while ((await engine.client('exec', 'swap', 'test', '-e', '/tmp/own/twice')).code !== 0);
    const measure = () => engine.docker.getContainer('swap').inspect({ size: true } as object);
    for (let round = 0; round < 4; round++) {
      for (const { SizeRw } of (await Promise.all(Array.from({ length: 20 }, measure))) as {
        SizeRw?: number;
      }[])
        assert.equal(SizeRw, 5000);
    }
  });

  it('no program of the container runs when files are copied', async () => {
    const traps =
      'for p in tar xz gzip cp cat sh; do printf "#!/bin/dash\\necho ran >> /ran\\n" > /usr/bin/$p; done';
    await docker(
      'run',
      '-d',
      '--name',
      'trap',
      '-u',
      'root',
      '--cap-add',
      'DAC_OVERRIDE',
      BASE,
      'dash',
      '-c',
      `${traps}; exec sleep 100`,
    );
    await docker('cp', at('file'), 'trap:/tmp/x');
    await docker('cp', 'trap:/etc', at('etc'));
    await docker('export', '-o', at('trap.tar'), 'trap');
    assert.match((await engine.client('cp', 'trap:/ran', at('ran'))).stderr, /Could not find/);
  });

  it('after a kill in the middle of a load there is nothing of it', async () => {
    const layers = () => fs.readdirSync(join(engine.root, 'data', 'runtime', 'layers'));
    const before = layers();
    const many: Member[] = Array.from({ length: 3000 }, (_, index) => ({ name: `d/${index}`, content: 'x' }));
    fs.writeFileSync(at('many.tar'), tarOf(...many));
    const importing = engine.client('import', at('many.tar'), 'many:v1');
    for (let attempt = 0; attempt < 1000 && layers().length === before.length; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    assert.equal(layers().length, before.length + 1);
    await engine.end('SIGKILL');
    assert.notEqual((await importing).code, 0);
    await engine.start();
    assert.deepEqual(layers(), before);
    assert.equal((await engine.client('inspect', 'many:v1')).code, 1);
    await docker('import', at('many.tar'), 'many:v1');
    assert.equal(layers().length, before.length + 1);
  });
});

/** Of each member of a tar. */
function attributesIn(archive: Buffer): Record<string, string>[] {
  const found: Record<string, string>[] = [];
  const reader = new TarReader({
    entry: ({ attributes }) => found.push(attributes),
    data: () => {},
    end: () => {},
  });
  reader.push(archive);
  reader.finish();
  return found;
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** An image-layout of one image, reached through an index of two platforms. */
function ociLayout({ layer, diffId }: { layer: Buffer; diffId: string }): Member[] {
  const blob = (bytes: Buffer): Member => ({
    name: `blobs/${digestOf(bytes).replace(':', '/')}`,
    content: bytes,
  });
  const json = (value: object) => Buffer.from(JSON.stringify(value));
  const config = json({
    architecture: 'amd64',
    os: 'linux',
    config: { Cmd: ['/none'] },
    rootfs: { type: 'layers', diff_ids: [diffId] },
  });
  const manifest = json({
    schemaVersion: 2,
    config: { digest: digestOf(config), size: config.length },
    layers: [{ digest: digestOf(layer), size: layer.length }],
  });
  const platforms = json({
    schemaVersion: 2,
    manifests: [
      { digest: digestOf(Buffer.from('missing')), platform: { os: 'linux', architecture: 'arm64' } },
      { digest: digestOf(manifest), platform: { os: 'linux', architecture: 'amd64' } },
    ],
  });
  const annotations = { 'io.containerd.image.name': 'docker.io/from/oci:v1' };
  const index = json({ schemaVersion: 2, manifests: [{ digest: digestOf(platforms), annotations }] });
  return [
    { name: 'oci-layout', content: '{"imageLayoutVersion":"1.0.0"}' },
    { name: 'index.json', content: index.toString() },
    ...[layer, config, manifest, platforms].map(blob),
  ];
}
