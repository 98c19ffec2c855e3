import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { ARCHITECTURE } from '../../../runtime/images/oci-config.ts';
import { PLATFORM } from '../../../runtime/images/platform.ts';
import { runtimePaths } from '../../../runtime/settings.ts';
import { BASE, createEngineFixture, type EngineFixture } from '../engine-fixture.ts';
import { ProcessKernel } from '../process-kernel.ts';

describe('Engine, through its API', () => {
  let fixture: EngineFixture;
  let docker: Docker;
  let kernel: ProcessKernel;

  beforeEach(async () => {
    kernel = new ProcessKernel();
    fixture = await createEngineFixture(kernel);
    docker = fixture.docker;
  });

  afterEach(async () => {
    await fixture.removeContainers();
    await fixture.remove();
  });

  function create(script: string, more: object = {}) {
    return docker.createContainer({ Image: BASE, Cmd: ['/bin/sh', '-c', script], ...more });
  }

  function demultiplex(stream: NodeJS.ReadableStream): { stdout: Readable; stderr: Readable } {
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    docker.modem.demuxStream(stream, stdout, stderr);
    stream.once('end', () => {
      stdout.end();
      stderr.end();
    });
    return { stdout, stderr };
  }

  it('finds a container by any part of its id that no other begins with', async () => {
    const first = await create('true');
    assert.equal((await docker.getContainer(first.id.slice(0, 1)).inspect()).Id, first.id);
    // More than there are digits.
    for (let count = 0; count < 16; count++) await create('true');
    const ids = (await docker.listContainers({ all: true })).map(({ Id }) => Id);
    const begins = ids.map((id) => id[0]!);
    const shared = begins.find((begin, index) => begins.indexOf(begin) !== index)!;
    await assert.rejects(docker.getContainer(shared).inspect(), { statusCode: 400 });
    const { id: network } = await docker.createNetwork({ Name: 'mine' });
    assert.equal((await docker.getNetwork(network.slice(0, 3)).inspect()).Name, 'mine');
  });

  it('lists no port that is none, whatever an image says', async () => {
    const ExposedPorts = { '80/tcp': {}, '99999/udp': {}, '0/tcp': {}, '1-5/tcp': {}, 'x/tcp': {}, '': {} };
    await create('true', { ExposedPorts });
    assert.deepEqual((await docker.listContainers({ all: true }))[0]?.Ports, [
      { PrivatePort: 80, Type: 'tcp' },
    ]);
  });

  it('runs a container whose client is attached from the begin', async () => {
    const container = await create('cat; echo done; exit 3', { OpenStdin: true, StdinOnce: true });
    const stream = await container.attach({
      stream: true,
      stdin: true,
      stdout: true,
      stderr: true,
      hijack: true,
    });
    const output = text(demultiplex(stream).stdout);
    const ended = container.wait({ condition: 'next-exit' });
    await container.start();
    stream.write('from the client\n');
    stream.end();
    assert.equal(await output, 'from the client\ndone\n');
    assert.deepEqual(await ended, { StatusCode: 3 });
    assert.equal((await container.inspect()).State.ExitCode, 3);
  });

  it('passes megabytes through stdin and the attached output, byte by byte', async () => {
    const container = await create('cat', { OpenStdin: true, StdinOnce: true });
    const stream = await container.attach({
      stream: true,
      stdin: true,
      stdout: true,
      stderr: true,
      hijack: true,
    });
    const received: Buffer[] = [];
    const { stdout } = demultiplex(stream);
    stdout.on('data', (chunk) => received.push(chunk));
    await container.start();
    const sent = Buffer.alloc(5_000_000, 'not one newline');
    stream.end(sent);
    await once(stdout, 'end');
    assert.ok(Buffer.concat(received).equals(sent));
  });

  it('tells logs: all, the tail, with times, followed to the end', async () => {
    const container = await create('echo one; echo two; sleep 0.3; echo three');
    await container.start();
    const followed = await container.logs({ follow: true, stdout: true, stderr: true });
    assert.equal(await text(demultiplex(followed).stdout), 'one\ntwo\nthree\n');
    const tail = await container.logs({ stdout: true, stderr: true, tail: 1, timestamps: true });
    assert.match(tail.subarray(8).toString(), /^\d{4}-\d\d-\d\dT[\d:.]+Z three\n$/);
  });

  it('adds the output of a second run to the log, from its first byte on', async () => {
    const container = await create('echo some output');
    for (let run = 0; run < 10; run++) {
      await container.start();
      await container.wait();
    }
    const log = await container.logs({ stdout: true, stderr: true });
    assert.equal(log.subarray(8).toString(), 'some output\n'.repeat(10));
  });

  it('tells events with labels and exit codes', async () => {
    const events: { Action: string; Actor: { Attributes: Record<string, string> } }[] = [];
    const stream = await docker.getEvents({ filters: { type: ['container'], label: ['app=demo'] } });
    stream.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().trim().split('\n')) events.push(JSON.parse(line));
    });
    const container = await create('exit 5', { Labels: { app: 'demo' } });
    await create('exit 0', { Labels: { app: 'other' } });
    await container.start();
    await container.wait();
    await container.remove();
    await new Promise((resolve) => setTimeout(resolve, 50));
    (stream as Readable).destroy();
    assert.deepEqual(
      events.map((event) => event.Action),
      ['create', 'start', 'die', 'destroy'],
    );
    assert.equal(events[2]?.Actor.Attributes.exitCode, '5');
  });

  it('commits a container, lets it go on, and keeps layers for as long as somebody needs them', async () => {
    const paths = runtimePaths(fixture.settings);
    const container = await create('true', { Env: ['A=1'] });
    await container.start();
    await container.wait();
    const upper = join(paths.containers, container.id, 'upper');
    writeFileSync(join(upper, 'made'), 'in the container');
    const { Id } = await container.commit({ repo: 'paas/app', tag: 'v1', Env: ['B=2'] });
    const image = await docker.getImage('paas/app:v1').inspect();
    assert.equal(image.Id, Id);
    assert.ok(image.Config.Env.includes('A=1') && image.Config.Env.includes('B=2'));
    assert.equal((await docker.getImage(Id).history()).length, 2);
    await container.start();
    await container.wait();
    assert.equal(kernel.launched.at(-1)?.rootfs.lower.length, 2);
    await container.remove();
    const layer = kernel.launched.at(-1)!.rootfs.lower[0]!;
    assert.ok(existsSync(join(layer, 'made')));
    await docker.getImage('paas/app:v1').remove();
    assert.equal(existsSync(layer), false);
    assert.equal(readdirSync(paths.layers).length, 1);
  });

  it('refuses to commit what lacks a layer, as after a repair of the disk', async () => {
    const container = await create('true');
    await container.start();
    await container.wait();
    await container.commit({ repo: 'paas/whole' });
    await container.start();
    await container.wait();
    rmSync(kernel.launched.at(-1)!.rootfs.lower[0]!, { recursive: true });
    await assert.rejects(container.commit({ repo: 'paas/half' }), {
      statusCode: 409,
      message: /is gone from the disk/,
    });
    await assert.rejects(docker.getImage('paas/half').inspect(), { statusCode: 404 });
    await container.remove();
    await docker.getImage('paas/whole').remove();
  });

  it('refuses to commit what is volatile', async () => {
    const volatile = await create('true', { Labels: { 'paas.volatile': '1' } });
    await volatile.start();
    await volatile.wait();
    assert.equal(kernel.launched.at(-1)?.rootfs.volatile, true);
    await assert.rejects(volatile.commit({ repo: 'x' }), { statusCode: 409 });
  });

  it('stops, kills, and says what cannot be done', async () => {
    const container = await create('trap "exit 7" TERM; while :; do sleep 0.05; done');
    await container.start();
    await assert.rejects(container.start(), { statusCode: 304 });
    await assert.rejects(container.remove(), { statusCode: 409 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await container.stop({ t: 5 });
    assert.equal((await container.inspect()).State.ExitCode, 7);
    await assert.rejects(container.stop(), { statusCode: 304 });
    await assert.rejects(container.kill(), { statusCode: 409 });
    const stubborn = await create('trap "" TERM; while :; do sleep 0.05; done');
    await stubborn.start();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await stubborn.stop({ t: 0 });
    assert.equal((await stubborn.inspect()).State.ExitCode, 137);
    await assert.rejects(docker.getContainer('nonesuch').inspect(), { statusCode: 404 });
  });

  it('tells why a container could not be started, and leaves nothing running', async () => {
    const container = await docker.createContainer({ Image: BASE, Cmd: ['/nonesuch'] });
    await assert.rejects(container.start(), { statusCode: 400 });
    const { State } = await container.inspect();
    assert.deepEqual([State.Status, State.ExitCode], ['exited', 127]);
    assert.match(State.Error, /nonesuch/);
  });

  it('removes a container by itself if asked to', async () => {
    const container = await create('true', { HostConfig: { AutoRemove: true } });
    const removed = container.wait({ condition: 'removed' });
    await container.start();
    await removed;
    await assert.rejects(container.inspect(), { statusCode: 404 });
  });

  it('has images for its own platform alone', async () => {
    const asked = (platform: string, Image = BASE) => docker.createContainer({ Image, platform });
    for (const platform of ['linux', PLATFORM, `${PLATFORM}/v1`, ARCHITECTURE]) await asked(platform);
    if (ARCHITECTURE === 'amd64') await asked('linux/x86_64');
    for (const platform of ['linux/s390x', 'windows', 's390x', `windows/${ARCHITECTURE}`])
      await assert.rejects(asked(platform), {
        statusCode: 404,
        message: new RegExp(`platform \\(${PLATFORM}\\) does not match .* \\(${platform}\\)`),
      });
    await assert.rejects(asked('linux/s390x', 'nope'), { statusCode: 404, message: /No such image: nope/ });
    await assert.rejects(asked('none'), { statusCode: 400 });
  });

  it('runs further processes, with stdin, stdout, stderr and exit code apart', async () => {
    const container = await create('sleep 10');
    await container.start();
    const exec = await container.exec({
      Cmd: ['/bin/sh', '-c', 'cat; echo problem >&2; exit 4'],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
    });
    const execs = async () => (await container.inspect()).ExecIDs;
    assert.deepEqual(await execs(), [exec.id]);
    const stream = await exec.start({ hijack: true, stdin: true });
    assert.deepEqual(await execs(), [exec.id]);
    const { stdout, stderr } = demultiplex(stream);
    stream.end('input');
    assert.deepEqual(await Promise.all([text(stdout), text(stderr)]), ['input', 'problem\n']);
    const { ExitCode, Running } = await exec.inspect();
    assert.equal(await execs(), null);
    assert.deepEqual([ExitCode, Running], [4, false]);
  });

  it('hides from the platform what root made, and refuses it what the policy says', async () => {
    const { platform } = fixture;
    const mine = await create('true', { name: 'mine' });
    assert.deepEqual(await platform.listContainers({ all: true }), []);
    for (const attempt of [
      () => platform.getContainer(mine.id).inspect(),
      () => platform.getContainer('mine').start(),
      () => platform.getContainer(mine.id).remove({ force: true }),
    ]) {
      await assert.rejects(attempt(), { statusCode: 404 });
    }
    const privileged = platform.createContainer({ Image: BASE, HostConfig: { Privileged: true } });
    await assert.rejects(privileged, { statusCode: 403 });
    const theirs = await platform.createContainer({ Image: BASE, Cmd: ['true'] });
    assert.equal((await docker.listContainers({ all: true })).length, 2);
    assert.equal((await platform.getContainer(theirs.id).inspect()).Id, theirs.id);
  });

  it('makes named volumes at their first use, and refuses binds through symbolic links', async () => {
    const paths = runtimePaths(fixture.settings);
    mkdirSync(paths.volumes, { recursive: true });
    const named = await create('true', { HostConfig: { Binds: ['cache:/cache'] } });
    await named.start();
    assert.equal(
      statSync(join(paths.volumes, 'cache')).uid,
      process.getuid?.() === 0 ? 70000 : process.getuid?.(),
    );
    symlinkSync('/etc', join(paths.volumes, 'link'));
    const start = async (source: string) =>
      (await create('true', { HostConfig: { Binds: [`${source}:/cache`] } })).start();
    for (const source of ['/nonesuch/x', 'link', join(paths.volumes, 'link')]) {
      await assert.rejects(start(source), { statusCode: 400 }, source);
    }
    await assert.rejects(start(join(paths.volumes, 'link', 'ssl')), { statusCode: 403 });
    await start(join(paths.volumes, 'cache'));
  });
});
