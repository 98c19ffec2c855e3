// How fast containers start: one, and many at once; beside docker run, runc run and bwrap in the same run, as far as they are installed.
// Every shell says through a named pipe that it runs; a start is over only then.
//   npm run bench start [-- --count 1000 --singles 50 --together 32]
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findBase, missingForContainers } from '../system/engine-process.ts';
import { median, percentile } from './figures/statistics.ts';
import { bwrapPeer, isInstalled, type PeerOptions, runcPeer } from './peers/command-peers.ts';
import { dockerPeer } from './peers/docker-run.ts';
import { Meeting } from './start/meeting.ts';
import { OurEngine } from './start/our-engine.ts';
import { smallShell } from './start/small-shell.ts';
import type { Subject } from './start/subject.ts';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '1000' },
    singles: { type: 'string', default: '50' },
    together: { type: 'string', default: '32' },
  },
});
const COUNT = Number(values.count);
const SINGLES = Number(values.singles);
/** Requests under way at once. */
const TOGETHER = Number(values.together);
/** Of a peer, at most so many in a crowd: it would take minutes. */
const PEER_COUNT = Math.min(COUNT, 64);

const missing = missingForContainers();
if (missing) throw new Error(`Cannot measure here: ${missing}.`);
const folder = mkdtempSync(join(tmpdir(), 'paas-bench-start-'));
try {
  const ours = await measureOurs();
  for (const [program, open] of peers()) {
    if (isInstalled(program)) await measurePeer(program, open, ours);
    else console.log(`\n${program}: skipped, it is not installed`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

function peers(): [string, (options: PeerOptions) => Subject | Promise<Subject>][] {
  return [
    ['dockerd', dockerPeer],
    ['runc', runcPeer],
    ['bwrap', bwrapPeer],
  ];
}

interface Single {
  /** Milliseconds until the runtime says that the main process runs, and until the shell says so. */
  told: number[];
  said: number[];
}

async function measureOurs(): Promise<Single> {
  const meeting = new Meeting(folder);
  const engine = await OurEngine.open(meeting, join(folder, 'delay'));
  try {
    await engine.settle();
    const single = await startSingly(engine, meeting);
    await engine.loopDelay();
    console.log(`\n${COUNT} at once, ${TOGETHER} requests under way`);
    console.log('  with few sandboxes made in advance, as after a quiet hour:');
    const before = engine.memory();
    const first = await startCrowd(engine, { meeting, count: COUNT });
    await showMemory(engine, { before, ids: first });
    await removeCrowd(engine, first);
    await crowdAfterRush(engine, meeting);
    const shell = smallShell();
    if (shell) {
      console.log(
        '  the same of the shell of klibc, which needs a tenth of the processor time of Debian’s to start:',
      );
      await engine.useImage(shell);
      await engine.settle();
      console.log('  its first rush, in sandboxes that were made for the other image:');
      await removeCrowd(engine, await startCrowd(engine, { meeting, count: COUNT }));
      await crowdAfterRush(engine, meeting);
    } else console.log('  the shell of klibc: skipped, klibc-utils is not installed');
    return single;
  } finally {
    await engine.close();
    meeting.close();
    rmSync(meeting.folder, { recursive: true });
  }
}

async function crowdAfterRush(engine: OurEngine, meeting: Meeting): Promise<void> {
  const sandboxes = await engine.settle();
  console.log(`  after a rush, with ${sandboxes} sandboxes made in advance:`);
  await engine.loopDelay();
  const started = await startCrowd(engine, { meeting, count: COUNT });
  showDelay(await engine.loopDelay(), 'starting them');
  console.log(`    ${await engine.answering(started)} of ${COUNT} networks answer`);
  await engine.loopDelay();
  await removeCrowd(engine, started);
  const { longest, p99 } = await engine.loopDelay();
  // Their control groups go after the last of them has.
  await sleep(2000);
  const later = await engine.loopDelay();
  showDelay({ longest: Math.max(longest, later.longest), p99 }, 'removing them');
}

async function measurePeer(
  program: string,
  open: (options: PeerOptions) => Subject | Promise<Subject>,
  ours: Single,
): Promise<void> {
  const own = join(folder, program);
  mkdirSync(own);
  const meeting = new Meeting(own);
  const peer = await open({ meeting, folder: own, base: findBase()! });
  try {
    const single = await startSingly(peer, meeting);
    console.log(
      `  ratio: paas takes ${(median(ours.said) / median(single.said)).toFixed(3)} of its time until the shell runs`,
    );
    await removeCrowd(peer, await startCrowd(peer, { meeting, count: PEER_COUNT, together: 8 }));
  } finally {
    await peer.close();
    meeting.close();
  }
}

async function startSingly(subject: Subject, meeting: Meeting): Promise<Single> {
  const [told, said]: [number[], number[]] = [[], []];
  for (let count = 0; count < SINGLES; count++) {
    const token = `single-${count}`;
    const began = performance.now();
    const started = await subject.start(token);
    told.push(performance.now() - began);
    await meeting.arrival(token);
    said.push(performance.now() - began);
    await subject.remove(started);
    await sleep(50);
  }
  console.log(`\n${subject.name} (${subject.includes}): one at a time, ${SINGLES} times`);
  showTimes('until it is told that the main process runs', told);
  showTimes('until the shell says so', said);
  return { told, said };
}

function showTimes(what: string, times: number[]): void {
  const [middle, p95] = [median(times), percentile(times, 95)].map((value) => value.toFixed(1));
  console.log(`  ${what}: median ${middle} ms, p95 ${p95} ms`);
}

async function startCrowd(
  subject: Subject,
  { meeting, count, together = TOGETHER }: { meeting: Meeting; count: number; together?: number },
): Promise<string[]> {
  meeting.said.clear();
  const started: string[] = [];
  const began = performance.now();
  await forEach(
    Array.from({ length: count }, (_, index) => `crowd-${index}`),
    together,
    async (token) => {
      started.push(await subject.start(token));
    },
  );
  await meeting.arrivals(count);
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `    ${count} of ${subject.name}: all shells run after ${seconds.toFixed(2)} s, ${(count / seconds).toFixed(0)}/s`,
  );
  return started;
}

async function removeCrowd(subject: Subject, started: string[]): Promise<void> {
  const began = performance.now();
  await forEach(started, TOGETHER, (id) => subject.remove(id));
  console.log(`    all removed after ${((performance.now() - began) / 1000).toFixed(2)} s`);
}

async function showMemory(
  engine: OurEngine,
  { before, ids }: { before: ReturnType<OurEngine['memory']>; ids: string[] },
): Promise<void> {
  const SAMPLE = 20;
  const now = engine.memory();
  const sample = await Promise.all(ids.slice(0, SAMPLE).map((id) => engine.processMemory(id)));
  const parts: [string, number][] = [
    ['runtime', (now.ours - before.ours) / ids.length],
    ['kernel', (now.kernel - before.kernel) / ids.length],
    ['init (PSS)', median(sample.map(({ init }) => init))],
    ['shell (PSS)', median(sample.map(({ shell }) => shell))],
  ];
  const sum = parts.reduce((total, [, size]) => total + size, 0);
  const shown = parts.map(([name, size]) => `${name} ${size.toFixed(0)}`).join(', ');
  console.log(`    memory of each: ${sum.toFixed(0)} KB: ${shown}`);
}

function showDelay({ longest, p99 }: { longest: number; p99: number }, doing: string): void {
  console.log(
    `    the runtime's event loop, ${doing}: held up for ${longest.toFixed(1)} ms at most, p99 ${p99.toFixed(1)} ms`,
  );
}

async function forEach<T>(items: T[], together: number, action: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  await Promise.all(
    Array.from({ length: together }, async () => {
      for (const item of queue) await action(item);
    }),
  );
}
