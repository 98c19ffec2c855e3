// Starts and removes many containers, and shows what has grown by it: nothing should.
//   npm run bench cycles [-- --cycles 10000 --together 8]
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BASE, EngineProcess, missingForContainers } from '../system/engine-process.ts';
import { countObjects } from './figures/kernel-objects.ts';
import { EngineClient } from './start/engine-client.ts';

const { values } = parseArgs({
  options: { cycles: { type: 'string', default: '10000' }, together: { type: 'string', default: '8' } },
});
const CYCLES = Number(values.cycles);
const TOGETHER = Number(values.together);
/** Until what is made once is there, and as much is made in advance as there will ever be. */
const WARM_UP = 2000;
const REST_MILLISECONDS = 12_000;
const MEMORY_TOLERANCE = 10 * 1024;
/** Those that read something first that others read as well. */
const KEPT_TOLERANCE = CYCLES / 100;

const missing = missingForContainers();
if (missing) throw new Error(`Cannot measure here: ${missing}.`);
const engine = new EngineProcess('172.27.16.0/20');
await engine.start();
const client = new EngineClient(join(engine.root, 'run', 'docker.sock'));
try {
  await cycle(WARM_UP);
  const before = await countAtRest();
  const began = performance.now();
  await cycle(CYCLES);
  const seconds = (performance.now() - began) / 1000;
  const after = await countAtRest();
  console.log(
    `\n${CYCLES} cycles of create, start, kill, remove in ${seconds.toFixed(0)} s, ${(CYCLES / seconds).toFixed(0)}/s`,
  );
  show(before, after);
} finally {
  client.close();
  await engine.remove();
}

async function cycle(count: number): Promise<void> {
  let left = count;
  const one = async () => {
    while (left-- > 0) await client.remove(await client.run(container()));
  };
  await Promise.all(Array.from({ length: TOGETHER }, one));
}

function container(): object {
  return {
    Image: BASE,
    Cmd: ['sleep', '1000'],
    HostConfig: { Memory: 64 << 20, NanoCpus: 500_000_000, PidsLimit: 64 },
  };
}

async function countAtRest(): Promise<Record<string, number>> {
  await sleep(REST_MILLISECONDS);
  return countObjects(engine);
}

function show(before: Record<string, number>, after: Record<string, number>): void {
  for (const [name, count] of Object.entries(after)) {
    const growth = count - before[name]!;
    const tolerated = name.endsWith('KB') ? MEMORY_TOLERANCE : name.endsWith('kept') ? KEPT_TOLERANCE : 0;
    const verdict = growth > tolerated ? '  GROWN' : '';
    console.log(
      `  ${name.padEnd(28)}${String(before[name]).padStart(8)} → ${String(count).padStart(8)}${verdict}`,
    );
    if (verdict) process.exitCode = 1;
  }
}
