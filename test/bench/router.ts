// What a request costs the router on one core, beside nginx, HAProxy and Caddy on the same core. All on loopback.
//   node test/bench/router.ts [--seconds 2] [--rounds 5] [--warm 10] [--only TEXT] [--peers router,nginx] [--idle 10000]
// Debian's packages nginx-light and wrk are needed; haproxy and caddy are measured if they are there. The proxies take turns, so that
// whatever else the machine does meets all alike; on a busy machine only the CPU time says something.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { median } from './figures/statistics.ts';
import { measure, memory, openIdle, type Sample, type Scenario } from './peers/load.ts';
import { hasProgram, type Peer, Proxies } from './peers/proxies.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    warm: { type: 'string', default: '10' },
    only: { type: 'string', default: '' },
    peers: { type: 'string', default: 'router,nginx,haproxy,caddy' },
    idle: { type: 'string', default: '10000' },
  },
});
const SECONDS = Number(values.seconds);

const SCENARIOS: Scenario[] = [
  { name: '12 bytes, 32 connections', connections: 32, path: '/small', kind: 'kept' },
  { name: '12 bytes, 256 connections', connections: 256, path: '/small', kind: 'kept' },
  { name: '12 bytes, 2,000 connections', connections: 2000, path: '/small', kind: 'kept' },
  { name: '64 KB, 32 connections', connections: 32, path: '/large', kind: 'kept' },
  { name: '64 KB, 256 connections', connections: 256, path: '/large', kind: 'kept' },
  { name: 'a connection for each request', connections: 32, path: '/small', kind: 'each' },
  { name: 'TLS, 12 bytes, 32 connections', connections: 32, path: '/small', kind: 'kept', tls: true },
  { name: 'TLS, 64 KB, 32 connections', connections: 32, path: '/large', kind: 'kept', tls: true },
  { name: 'TLS, a connection for each request', connections: 32, path: '/small', kind: 'each', tls: true },
  { name: 'WebSocket echo', connections: 32, path: '/', kind: 'echo' },
];

for (const name of ['nginx', 'wrk']) if (!hasProgram(name)) throw new Error(`${name} is not installed.`);
const proxies = new Proxies();
try {
  await proxies.start();
  for (const scenario of SCENARIOS.filter(({ name }) => name.includes(values.only))) await run(scenario);
  if (Number(values.idle) > 0) await showIdle(proxies.list[0]!, Number(values.idle));
} finally {
  proxies.stop();
}

async function run(scenario: Scenario): Promise<void> {
  const peers = proxies.list.filter(({ name }) => values.peers.split(',').includes(name));
  const samples = new Map<Peer, Sample[]>(peers.map((proxy) => [proxy, []]));
  // Node compiles what is used much; measured before, it would be the compiler's time.
  for (const proxy of peers) await measure(proxy, scenario, Number(values.warm));
  for (let round = 0; round < Number(values.rounds); round += 1) {
    for (const [proxy, list] of samples) list.push(await measure(proxy, scenario, SECONDS));
  }
  console.log(`\n${scenario.name}`);
  const nginx = summary(samples.get(proxies.list.find(({ name }) => name === 'nginx')!)!);
  for (const [{ name }, list] of samples) {
    const { cpu, least, rate, p99 } = summary(list);
    const share = `${(nginx.cpu / cpu).toFixed(2)} of nginx (best ${(nginx.least / least).toFixed(2)})`;
    console.log(
      `  ${name.padEnd(8)} ${cpu.toFixed(1).padStart(7)} us of CPU each, ${share}; ${Math.round(rate)}/s, p99 ${p99.toFixed(1)} ms`,
    );
  }
}

/** `least`: CPU time of the round that was disturbed least. */
function summary(samples: Sample[]): Sample & { least: number } {
  const of = (key: keyof Sample) => median(samples.map((sample) => sample[key]));
  return {
    rate: of('rate'),
    cpu: of('cpu'),
    p99: of('p99'),
    least: Math.min(...samples.map(({ cpu }) => cpu)),
  };
}

async function showIdle(proxy: Peer, count: number): Promise<void> {
  const before = memory(proxy.pid);
  const sockets = await openIdle(proxy, count);
  await sleep(1000);
  const open = sockets.filter((socket) => !socket.destroyed).length;
  const after = memory(proxy.pid);
  for (const socket of sockets) socket.destroy();
  const megabytes = (kilobytes: number) => `${Math.round(kilobytes / 1024)} MB`;
  console.log(
    `\n${open} idle connections: ${proxy.name} holds ${megabytes(after)}, ${megabytes(before)} before (${((after - before) / open).toFixed(1)} KB each)`,
  );
}
