// What an app's visitors notice of a neighbour that wants everything: p99 and errors before and during each attack.
//   sudo npm run bench neighbours [-- --seconds 5] [--rate 100] [--attack TEXT]
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ATTACKER_LIMITS, ATTACKS, startApp, Visitor } from '../fixtures/neighbours.ts';
import { BASE, EngineProcess, missingForContainers } from '../system/engine-process.ts';
import { percentile } from './figures/statistics.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    rate: { type: 'string', default: '100' },
    attack: { type: 'string', default: '' },
  },
});
const SECONDS = Number(values.seconds);

const missing = missingForContainers();
if (missing) throw new Error(missing);
const engine = new EngineProcess();
await engine.start();
try {
  const address = await startApp(engine.docker, BASE);
  await visit(address);
  for (const attack of ATTACKS.filter(({ name }) => name.includes(values.attack))) {
    const before = await visit(address);
    const attacker = await engine.docker.createContainer({
      Image: BASE,
      Cmd: ['bash', '-c', attack.script],
      HostConfig: ATTACKER_LIMITS,
    });
    await attacker.start();
    await sleep(500);
    const during = await visit(address);
    await attacker.remove({ force: true });
    const [p99, p99During] = [percentile(before.milliseconds, 99), percentile(during.milliseconds, 99)];
    const times = (p99During / p99).toFixed(1);
    console.log(
      `${attack.name}: p99 ${p99.toFixed(1)} ms before, ${p99During.toFixed(1)} ms during (${times} times), ` +
        `${during.errors.length} errors in ${during.milliseconds.length} requests`,
    );
  }
} finally {
  await engine.remove();
}

async function visit(address: string): Promise<Visitor> {
  const visitor = new Visitor(address, { perSecond: Number(values.rate) });
  await sleep(SECONDS * 1000);
  await visitor.stop();
  return visitor;
}
