// Loaded by node --import into the process that is measured, with ?file=PATH: on SIGUSR2 writes how long its event loop was held up at
// most since the last time, in milliseconds. Nothing of it is in the process when it is not measured.
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const file = new URL(import.meta.url).searchParams.get('file')!;
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();

process.on('SIGUSR2', () => {
  const [longest, p99] = [delay.max, delay.percentile(99)].map((nanoseconds) => nanoseconds / 1e6);
  writeFileSync(file, JSON.stringify({ longest, p99 }));
  delay.reset();
});
