import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, type Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, it } from 'mocha';
import {
  ContainerOutput,
  type LogQuery,
  type OutputOptions,
} from '../../../runtime/containers/container-output.ts';
import { HeldDescriptors } from '../../../runtime/containers/held-descriptors.ts';
import * as descriptors from '../../../runtime/syscall/descriptors.ts';
import { until } from '../../fixtures/until.ts';

const QUERY: Omit<LogQuery, 'signal'> = {
  since: undefined,
  until: undefined,
  timestamps: false,
  tail: undefined,
  follow: false,
};

describe('ContainerOutput', () => {
  let folder: string;
  let rawPath: string;
  let output: ContainerOutput;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'paas-output-'));
    rawPath = join(folder, 'raw');
    output = create();
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  function create(logLimit = 8 * 1024 * 1024, more: Partial<OutputOptions> = {}) {
    return new ContainerOutput(folder, { rawPath, descriptors, logLimit, ...more });
  }

  function attach(stream: Writable, dropped: string[] = []) {
    const drop = (reason: string) => void dropped.push(reason);
    output.attach({ stdout: { stream, drop }, stderr: undefined });
  }

  async function read(query: Partial<LogQuery> = {}) {
    const signal = new AbortController().signal;
    const blocks = await Array.fromAsync(output.read({ ...QUERY, ...query, signal }));
    return Buffer.concat(blocks.map(({ text }) => text)).toString();
  }

  it('ContainerOutput.read() gives what the container wrote', async () => {
    appendFileSync(rawPath, 'one\ntwo\nthree');
    output.openRaw();
    await output.finish();
    assert.equal(await read(), 'one\ntwo\nthree\n');
    assert.equal(await read({ tail: 2 }), 'two\nthree\n');
    assert.equal(await read({ tail: 0 }), '');
    assert.equal(existsSync(rawPath), false);
  });

  it('ContainerOutput.read() follows until the container ends', async () => {
    appendFileSync(rawPath, 'early\n');
    output.openRaw();
    const followed = read({ follow: true });
    for (const word of ['b', 'c']) {
      appendFileSync(rawPath, `${word}\n`);
      output.wake();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await output.finish();
    assert.equal(await followed, 'early\nb\nc\n');
  });

  it('ContainerOutput.openRaw() takes a raw file that a killed runtime had removed already for an empty one', async () => {
    appendFileSync(rawPath, 'one\n');
    output.openRaw();
    await output.finish();
    output = create();
    output.openRaw();
    await output.finish();
    assert.equal(await read(), 'one\n');
  });

  it('ContainerOutput.openRaw() goes on where a killed runtime stopped, without gap or repetition', async () => {
    appendFileSync(rawPath, 'one\ntwo\nthr');
    output.openRaw();
    await new Promise((resolve) => setTimeout(resolve, 20));
    // No finish: the next one starts from what is on disk.
    appendFileSync(rawPath, 'ee\nfour\n');
    output = create();
    output.openRaw();
    await output.finish();
    assert.equal(await read(), 'one\ntwo\nthree\nfour\n');
  });

  it('ContainerOutput rotates its log and frees the raw file', async function () {
    this.timeout(20_000);
    output = create(1024 * 1024);
    const line = `${'x'.repeat(999)}\n`;
    output = create(1024 * 1024);
    appendFileSync(rawPath, '');
    output.openRaw();
    for (let count = 0; count < 8; count++) {
      appendFileSync(rawPath, line.repeat(1000));
      output.wake();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.ok(statSync(rawPath).size >= 8_000_000);
    await until(() => statSync(rawPath).blocks * 512 < 2_500_000);
    await output.finish();
    const logSizes = ['log', 'log.1'].map((name) => statSync(join(folder, name)).size);
    assert.ok(logSizes.every((size) => size < 1.2 * 1024 * 1024));
    await until(() => !existsSync(join(folder, 'log.2')));
    const kept = await read();
    assert.ok(kept.length > 1_000_000);
    assert.equal(kept, line.repeat(kept.length / 1000));
    assert.equal(await read({ tail: 1100 }), line.repeat(1100));
  });

  it('ContainerOutput skips a flood that nobody can follow', async function () {
    this.timeout(20_000);
    appendFileSync(rawPath, Buffer.alloc(40 * 1024 * 1024, 'y'));
    output.openRaw();
    await output.finish();
    assert.match(readFileSync(join(folder, 'log'), 'latin1'), /\[\d+ bytes of output were skipped\]/);
  });

  it('ContainerOutput.attach() passes every byte on, at the pace of the client, and ends it', async function () {
    this.timeout(20_000);
    const client = new PassThrough();
    attach(client);
    const size = 40 * 1024 * 1024;
    appendFileSync(rawPath, Buffer.alloc(size, 'z'));
    output.openRaw();
    // Nobody waits for the client.
    await output.finish();
    assert.equal(existsSync(rawPath), false);
    assert.ok(client.writableLength + client.readableLength < 4 * 1024 * 1024);
    let received = 0;
    for await (const chunk of client) received += chunk.length;
    assert.equal(received, size);
  });

  it('ContainerOutput.attach() lets a slow client keep nobody from anything', async function () {
    this.timeout(20_000);
    const [slow, quick] = [new PassThrough(), new PassThrough()];
    attach(slow);
    attach(quick);
    appendFileSync(rawPath, '');
    output.openRaw();
    const [line, received] = [`${'y'.repeat(99)}\n`, [] as Buffer[]];
    quick.on('data', (chunk) => received.push(chunk));
    for (let count = 0; count < 50; count++) {
      appendFileSync(rawPath, line.repeat(1000));
      output.wake();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await until(() => Buffer.concat(received).length === 5_000_000);
    assert.equal(await read({ tail: 1 }), line);
    // What the slow one has still to read is not freed; all else would be.
    assert.ok(statSync(rawPath).blocks * 512 > 3_000_000);
    slow.resume();
    await until(() => statSync(rawPath).blocks * 512 > 0 && slow.writableLength === 0);
    const [late] = [[] as Buffer[]];
    slow.on('data', (chunk) => late.push(chunk));
    appendFileSync(rawPath, 'live again\n');
    output.wake();
    await until(() => Buffer.concat(late).includes('live again\n'));
    await output.finish();
  });

  it('ContainerOutput.attach() drops a client that is too far behind, and says so', async () => {
    output = create(undefined, { limits: { behind: 2 * 1024 * 1024, patience: 60_000 } });
    const [stuck, dropped] = [new PassThrough(), [] as string[]];
    attach(stuck, dropped);
    appendFileSync(rawPath, Buffer.alloc(8 * 1024 * 1024, '.'));
    output.openRaw();
    await output.finish();
    assert.match(dropped.join(), /not take the output fast enough/);
  });

  it('ContainerOutput.attach() drops a client that takes nothing when the container has ended', async () => {
    output = create(undefined, { limits: { behind: 1024 ** 3, patience: 50 } });
    const [stuck, dropped] = [new PassThrough(), [] as string[]];
    attach(stuck, dropped);
    appendFileSync(rawPath, Buffer.alloc(8 * 1024 * 1024, '.'));
    output.openRaw();
    await output.finish();
    await until(() => dropped.length > 0);
  });

  it('ContainerOutput.write() holds a terminal up for a slow client, and not for a stuck one', async () => {
    output = create(undefined, { terminal: true, limits: { behind: 1024 ** 3, patience: 50 } });
    const [stuck, dropped] = [new PassThrough(), [] as string[]];
    let resumed = 0;
    output.openTerminal(() => resumed++);
    attach(stuck, dropped);
    while (output.write(Buffer.alloc(100_000, '.')));
    await until(() => dropped.length > 0);
    stuck.destroy();
    await until(() => resumed > 0);
    assert.equal(output.write(Buffer.from('more')), true);
    await output.finish();
  });

  it('ContainerOutput.finish() takes what is still in the pipes, behind what stands in the files', async () => {
    output = create(undefined, { apart: true });
    {
      using held = new HeldDescriptors();
      const { stdout, stderr, pipes } = output.openForContainer(held);
      writeSync(stdout, 'three\n');
      writeSync(stderr, 'err\n');
      writeSync(pipes[0]!.file, 'one\ntwo\n');
    }
    await output.finish();
    assert.equal(await read({ sources: [0] }), 'one\ntwo\nthree\n');
    assert.equal(await read({ sources: [1] }), 'err\n');
  });

  it('ContainerOutput.finish() does not wait for whoever has got the pipe from the app and writes on', async () => {
    const held = new HeldDescriptors();
    const { stdout } = output.openForContainer(held);
    const other = spawn('yes', { stdio: ['ignore', stdout, 'ignore'] });
    const ended = once(other, 'exit');
    held[Symbol.dispose]();
    await until(() => statSync(`/proc/${other.pid}/fd/1`).isFIFO());
    await output.finish();
    assert.match(await read({ tail: 1 }), /^y+\n$/);
    assert.equal((await ended)[1], 'SIGPIPE');
  });

  it('ContainerOutput keeps stderr apart when asked to, also over a kill', async () => {
    output = create(undefined, { apart: true });
    appendFileSync(rawPath, 'out 1\n');
    appendFileSync(`${rawPath}.stderr`, 'err 1\nerr');
    output.openRaw();
    await new Promise((resolve) => setTimeout(resolve, 20));
    appendFileSync(`${rawPath}.stderr`, ' 2\n');
    appendFileSync(rawPath, 'out 2\n');
    output = create(undefined, { apart: true });
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const drop = () => {};
    output.attach({ stdout: { stream: stdout, drop }, stderr: { stream: stderr, drop } });
    output.openRaw();
    await output.finish();
    assert.deepEqual([await text(stdout), await text(stderr)], ['out 2\n', 'err 2\n']);
    assert.equal(await read({ sources: [0] }), 'out 1\nout 2\n');
    assert.equal(await read({ sources: [1] }), 'err 1\nerr 2\n');
    assert.equal(existsSync(`${rawPath}.stderr`), false);
  });
});
