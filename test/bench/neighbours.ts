// What an app's visitors notice of a neighbour that wants everything: p99 and errors before and during each attack.
//   sudo npm run bench neighbours [-- --seconds 2] [--rounds 3] [--rate 300] [--attack TEXT]
// By turns without and with the attack, as other load on the machine comes and goes.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ATTACKER_LIMITS, ATTACKS, startApp, Visitor } from '../fixtures/neighbours.ts';
import { BASE, EngineProcess, missingForContainers } from '../system/engine-process.ts';
import { percentile } from './figures/statistics.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '300' },
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
    const before: Visitor[] = [];
    const during: Visitor[] = [];
    for (let round = 0; round < Number(values.rounds); round++) {
      before.push(await visit(address));
      const attacker = await engine.docker.createContainer({
        Image: BASE,
        Cmd: ['bash', '-c', attack.script],
        HostConfig: ATTACKER_LIMITS,
      });
      await attacker.start();
      await sleep(500);
      during.push(await visit(address));
      await attacker.remove({ force: true });
      await sleep(500);
    }
    const [p99, p99During] = [before, during].map((visits) => percentile(timesOf(visits), 99)) as [
      number,
      number,
    ];
    const errors = during.flatMap((visit) => visit.errors);
    console.log(
      `${attack.name}: p99 ${p99.toFixed(1)} ms without, ${p99During.toFixed(1)} ms during (${(p99During / p99).toFixed(1)} times), ` +
        `${errors.length} errors in ${timesOf(during).length} requests`,
    );
  }
} finally {
  await engine.remove();
}

function timesOf(visits: Visitor[]): number[] {
  return visits.flatMap(({ milliseconds }) => milliseconds);
}

async function visit(address: string): Promise<Visitor> {
  const visitor = new Visitor(address, { perSecond: Number(values.rate) });
  await sleep(SECONDS * 1000);
  await visitor.stop();
  return visitor;
}
