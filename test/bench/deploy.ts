// Push of a code-only change of an Express app → first answer with the new content. Beside it, where a Docker engine runs: the
// same push into a bare repository whose hook does docker build, docker run and a reload of nginx.

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance } from '../e2e/instance.ts';
import { median, percentile } from './figures/statistics.ts';
import { DockerPeer, whyNoDocker } from './peers/docker-hook.ts';

const EXPRESS = join(import.meta.dirname, '..', 'fixtures', 'apps', 'node-express');
const PUSHES = Number(process.env.PUSHES ?? 15);

interface Build {
  stages: { name: string; milliseconds: number }[];
}

const paas = await Instance.start();
let ours: number;
try {
  const folder = await paas.checkout('node-express', 'bench');
  await paas.deploy(folder);
  ours = await measure('paas, over ssh', {
    change: (content) => commit(folder, content),
    push: async () => void (await paas.deploy(folder)),
    answer: async () => (await paas.get('bench')).body,
  });
  await showStages();
} finally {
  await paas.remove();
}
await measureDockerPeer();

interface Way {
  change: (content: string) => Promise<void>;
  push: () => Promise<void>;
  answer: () => Promise<string>;
}

async function measure(name: string, way: Way): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index < PUSHES; index += 1) {
    const content = `bench ${index}`;
    await way.change(content);
    times.push(await pushAndWait(content, way));
  }
  console.log(`\npush → first new answer, ${PUSHES} code-only pushes of an Express app: ${name}`);
  const [fastest, p90] = [percentile(times, 0), percentile(times, 90)];
  console.log(
    `  median ${median(times).toFixed(0)} ms, fastest ${fastest.toFixed(0)} ms, p90 ${p90.toFixed(0)} ms`,
  );
  return median(times);
}

async function pushAndWait(content: string, way: Way): Promise<number> {
  const began = performance.now();
  const pushing = way.push();
  let answered: number | undefined;
  while (answered === undefined) {
    const body = await way.answer().catch(() => '');
    if (body.trim() === content) answered = performance.now() - began;
    else await sleep(2);
  }
  await pushing;
  await sleep(300);
  return answered;
}

async function commit(folder: string, content: string): Promise<void> {
  paas.write(folder, 'version.txt', content);
  await paas.commit(folder, content);
}

async function showStages(): Promise<void> {
  const builds: Build[] = JSON.parse(await paas.paas('builds -a bench --json')).slice(0, PUSHES);
  const names = builds[0]?.stages.map((stage) => stage.name) ?? [];
  console.log('  of which, medians inside the platform:');
  for (const name of names) {
    const times = builds.flatMap((build) =>
      build.stages.filter((stage) => stage.name === name).map((stage) => stage.milliseconds),
    );
    console.log(`    ${name.padEnd(16)} ${median(times).toFixed(1)} ms`);
  }
}

async function measureDockerPeer(): Promise<void> {
  const why = await whyNoDocker();
  if (why) {
    console.log(`\npeer skipped: git hook with docker build, docker run and nginx (${why})`);
    return;
  }
  const peer = new DockerPeer();
  try {
    await peer.start(EXPRESS);
    const theirs = await measure('hook with docker build, docker run and nginx, without ssh', {
      change: (content) => commit(peer.checkout, content),
      push: async () => void (await paas.git(peer.checkout, 'push', '-q', 'paas', 'main')),
      answer: async () => (await peer.get()).body,
    });
    console.log(`\nratio: paas takes ${(ours / theirs).toFixed(2)} of the docker hook's time`);
  } finally {
    peer.stop();
  }
}
