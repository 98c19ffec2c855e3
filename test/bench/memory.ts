// Memory of the platform's own processes (PSS: shared pages counted by share), idle, with one app of one dyno.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance } from '../e2e/instance.ts';

const IDLE_SECONDS = Number(process.env.IDLE_SECONDS ?? 20);

const paas = await Instance.start();
try {
  await paas.deploy(await paas.checkout('node-plain', 'idle'));
  for (let request = 0; request < 200; request += 1) await paas.get('idle');
  await sleep(IDLE_SECONDS * 1000);
  const processes = ourProcesses();
  console.log(`\nmemory (PSS), idle for ${IDLE_SECONDS} s, one app with one dyno`);
  for (const { name, pss } of processes) console.log(`  ${name.padEnd(10)} ${(pss / 1024).toFixed(1)} MB`);
  console.log(
    `  ${'together'.padEnd(10)} ${(processes.reduce((sum, { pss }) => sum + pss, 0) / 1024).toFixed(1)} MB`,
  );
} finally {
  await paas.remove();
}

/** Every process of this instance outside containers, by its command line. */
function ourProcesses(): { name: string; pss: number }[] {
  const marks: [string, RegExp][] = [
    ['main', /server\/main\.ts/],
    ['runtime', /runtime\/daemon\.ts/],
    ['control', /server\/control\.ts/],
    ['router', /server\/router\.ts/],
    ['redis', /redis-server/],
    ['zygote', /zygote/],
  ];
  return readdirSync('/proc')
    .filter((pid) => /^\d+$/.test(pid) && belongsHere(pid))
    .flatMap((pid) => {
      const command = readText(`/proc/${pid}/cmdline`);
      const name = marks.find(([, pattern]) => pattern.test(command))?.[0];
      const pss = /^Pss:\s+(\d+)/m.exec(readText(`/proc/${pid}/smaps_rollup`))?.[1];
      return name && pss ? [{ name, pss: Number(pss) }] : [];
    });
}

function belongsHere(pid: string): boolean {
  return (
    readText(`/proc/${pid}/environ`).includes(paas.folder) ||
    readText(`/proc/${pid}/cmdline`).includes(paas.folder)
  );
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
