// Memory of the platform's own processes (PSS: shared pages counted by share), idle, with one app of one dyno.
// Other instances on the machine share pages of Node too and make these figures smaller: "own" is what nobody shares.
//   PUSHES=30 node test/bench/memory.ts     again after so many pushes and 5,000 requests: nothing may grow
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Instance } from '../e2e/instance.ts';

const IDLE_SECONDS = Number(process.env.IDLE_SECONDS ?? 20);
const PUSHES = Number(process.env.PUSHES ?? 0);

const paas = new Instance();
precompile();
await paas.startMain();
try {
  const folder = await paas.checkout('node-plain', 'idle');
  await paas.deploy(folder);
  await request(200);
  await show('one app with one dyno');
  if (PUSHES > 0) {
    await push(folder);
    await request(5000);
    await show(`after ${PUSHES} pushes and 5,000 requests`);
  }
} finally {
  await paas.remove();
}

/** As the set-up does it before `npm start`. */
function precompile(): void {
  const program = join(import.meta.dirname, '..', '..', 'server', 'precompile.ts');
  execFileSync(process.execPath, [program], {
    env: { ...process.env, ...paas.environment },
    stdio: 'ignore',
  });
}

async function request(times: number): Promise<void> {
  for (let count = 0; count < times; count += 1) await paas.get('idle');
}

async function push(folder: string): Promise<void> {
  for (let count = 0; count < PUSHES; count += 1) {
    paas.write(folder, 'version.txt', `${count}`);
    await paas.commit(folder, `push ${count}`);
    await paas.deploy(folder);
  }
}

async function show(when: string): Promise<void> {
  await sleep(IDLE_SECONDS * 1000);
  const processes = ourProcesses();
  console.log(`\nmemory (PSS), idle for ${IDLE_SECONDS} s, ${when}`);
  for (const { name, pss, own } of processes) console.log(line(name, pss, own));
  const sum = (key: 'pss' | 'own') => processes.reduce((total, process) => total + process[key], 0);
  console.log(line('together', sum('pss'), sum('own')));
}

function line(name: string, pss: number, own: number): string {
  const [shown, shownOwn] = [pss, own].map((kilobytes) => (kilobytes / 1024).toFixed(1).padStart(6));
  return `  ${name.padEnd(10)}${shown} MB, own ${shownOwn} MB`;
}

/** Every process of this instance outside containers, by its command line; sizes in KB. */
function ourProcesses(): { name: string; pss: number; own: number }[] {
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
      const sizes = readText(`/proc/${pid}/smaps_rollup`);
      const size = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(sizes)?.[1] ?? 0);
      return name && size('Pss') > 0
        ? [{ name, pss: size('Pss'), own: size('Private_Clean') + size('Private_Dirty') }]
        : [];
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
