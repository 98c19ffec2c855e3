import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { RunStep } from '../../buildpacks/build-plan.ts';
import { stepFailure, tellsNoSpace } from '../../deploy/build/step-failure.ts';
import { BootFailure, notListening } from '../../deploy/formation/boot-failure.ts';
import { Dyno, DynoContainer } from '../../deploy/formation/dyno.ts';
import type { Release } from '../../deploy/model/release.ts';

describe('stepFailure()', () => {
  const step: RunStep = {
    kind: 'run',
    title: 'Building with npm run build',
    command: 'npm run build',
    reads: 'source',
    user: 'app',
    network: true,
  };
  const limits = { memory: 1024 ** 3, disk: 400 * 1024 ** 2 };
  const end = { status: 3, oomKilled: false, foundNoSpace: false };

  it('says which step failed, and where to look for the cause', () => {
    assert.equal(
      stepFailure(step, end, limits).message,
      'Building with npm run build failed: the command exited with status 3.\nWhat it said stands above: mend that, commit, and push again.',
    );
  });

  it('says what was short, with the limit and its name', () => {
    assert.match(
      stepFailure(step, { ...end, oomKilled: true }, limits).message,
      /more memory .* \(1024 MB\)\.$/,
    );
    const full = { ...end, foundNoSpace: tellsNoSpace("dd: error writing 'big': No space left on device\n") };
    assert.match(
      stepFailure(step, full, limits).message,
      /no space left: .* 400 MB here \(PAAS_DISK_LIMIT\)/,
    );
    assert.match(
      stepFailure(step, full, { ...limits, disk: 0 }).message,
      /the disk of this machine is full\.$/,
    );
  });

  it('adds what the buildpack advises', () => {
    assert.match(
      stepFailure({ ...step, advice: 'Do this.' }, end, limits).message,
      /push again\.\nDo this\.$/,
    );
  });
});

describe('BootFailure', () => {
  const dyno = new Dyno(
    { app: 'shop', processes: { web: 'gunicorn app:app' } } as unknown as Release,
    'web',
    1,
  );
  const of = (code: number, { oomKilled = false } = {}) =>
    new BootFailure(dyno, new DynoContainer('id', 100 * 1024 ** 2), { code, oomKilled }).message;

  it('knows what a status means', () => {
    assert.equal(of(1), 'web.1 exited with status 1 before it was up.');
    assert.match(of(0), /^web\.1 ended by itself/);
    assert.match(of(127), /its command was not found\. .* Its command: gunicorn app:app$/);
    assert.match(
      of(137, { oomKilled: true }),
      /more memory than it may \(100 MB\).* paas limits:set web --memory 200m -a shop$/,
    );
  });

  it('keeps the last lines that the dyno wrote, and not too much of each', () => {
    const container = new DynoContainer('id');
    for (let line = 1; line <= 50; line += 1) container.hear(`${line} ${'x'.repeat(1000)}`);
    const { said } = new BootFailure(dyno, container, { code: 1, oomKilled: false });
    assert.equal(said.length, 20);
    assert.match(said[0]!, /^31 x+$/);
    assert.equal(said[0]!.length, 500);
  });
});

describe('notListening()', () => {
  const words = (...sockets: { port: number; loopback: boolean }[]) =>
    notListening({ port: 5000, seconds: 60 }, sockets);

  it('tells a wrong port and a wrong address from no server at all', () => {
    assert.match(words(), /within 60 seconds, and nowhere else\./);
    assert.match(words({ port: 3000, loopback: false }), /, but on 3000\. .* environment variable PORT\.$/);
    assert.match(words({ port: 5000, loopback: true }), /loopback address alone\. Bind to 0\.0\.0\.0/);
    assert.match(notListening({ port: 5000, seconds: 60 }, undefined), /\$PORT \(5000\) within 60 seconds\./);
  });
});
