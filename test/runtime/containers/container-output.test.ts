import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { ContainerOutput, type LogQuery } from '../../../runtime/containers/container-output.ts';
import { punchHole } from '../../../runtime/syscall/descriptors.ts';

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

  function create(logLimit = 8 * 1024 * 1024) {
    return new ContainerOutput(folder, { rawPath, punchHole, logLimit });
  }

  async function read(query: Partial<LogQuery> = {}) {
    const signal = new AbortController().signal;
    const blocks = await Array.fromAsync(output.read({ ...QUERY, ...query, signal }));
    return Buffer.concat(blocks).toString();
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
    assert.ok(statSync(rawPath).blocks * 512 < 2_500_000);
    await output.finish();
    const logSizes = ['log', 'log.1'].map((name) => statSync(join(folder, name)).size);
    assert.ok(logSizes.every((size) => size < 1.2 * 1024 * 1024));
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
    output.attach(client);
    const size = 40 * 1024 * 1024;
    appendFileSync(rawPath, Buffer.alloc(size, 'z'));
    output.openRaw();
    const finished = output.finish();
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(client.writableLength < 4 * 1024 * 1024);
    let received = 0;
    for await (const chunk of client) received += chunk.length;
    await finished;
    assert.equal(received, size);
  });
});
