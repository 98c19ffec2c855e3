// Push of a code-only change of an Express app → first answer with the new content. Beside it, where a Docker engine runs: the
// same push into a bare repository whose hook does docker build, docker run and a reload of nginx.
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance, run } from '../e2e/instance.ts';
import { median, percentile } from './statistics.ts';

const PUSHES = Number(process.env.PUSHES ?? 15);

interface Build {
  stages: { name: string; milliseconds: number }[];
}

const paas = await Instance.start();
try {
  const folder = await paas.checkout('node-express', 'bench');
  await paas.deploy(folder);
  const times: number[] = [];
  for (let index = 0; index < PUSHES; index += 1) times.push(await pushAndWait(folder, `bench ${index}`));
  console.log(`\npush → first new answer, ${PUSHES} code-only pushes of an Express app`);
  console.log(
    `  median ${median(times).toFixed(0)} ms, fastest ${Math.min(...times).toFixed(0)} ms, p90 ${percentile(times, 90).toFixed(0)} ms`,
  );
  await showStages();
} finally {
  await paas.remove();
}
await showDockerPeer();

async function pushAndWait(folder: string, content: string): Promise<number> {
  paas.write(folder, 'version.txt', content);
  await paas.commit(folder, content);
  const began = performance.now();
  const pushing = paas.deploy(folder);
  let answered: number | undefined;
  while (answered === undefined) {
    if ((await paas.get('bench')).body.trim() === content) answered = performance.now() - began;
    else await sleep(2);
  }
  await pushing;
  await sleep(300);
  return answered;
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

async function showDockerPeer(): Promise<void> {
  const { status } = await run('docker', ['info']).catch(() => ({ status: 1 }));
  if (status !== 0)
    console.log('\npeer skipped: git hook with docker build and docker run (no Docker engine answers here)');
  else
    console.log('\npeer skipped: git hook with docker build and docker run (not measured by this bench yet)');
}
