import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Container } from '../containers/container.ts';
import type { Engine } from '../containers/engine.ts';
import { readNetworkCounters } from '../containers/network-counters.ts';
import { readProcesses } from '../containers/process-list.ts';
import { isAlive } from '../containers/state.ts';
import { EngineError } from '../engine-error.ts';
import { listeningSockets } from '../network/listening-sockets.ts';
import type { Exchange } from './exchange.ts';
import { refuseUnsafeContainer } from './policy.ts';
import { processTable } from './process-table.ts';
import type { Route } from './router.ts';
import { type StatsSample, statsView } from './stats-view.ts';

const SAMPLE_MILLISECONDS = 1000;

/**
 * Containers: what they use, what runs in them, and how much they may. No part of Docker's API:
 *
 *   GET /containers/{id}/listening   → 200 {"Sockets":[{"Port":3000,"Loopback":false}]}: where TCP sockets listen in it
 */
export function resourceRoutes(engine: Engine, volumes: string): Route[] {
  const find = (exchange: Exchange) => engine.find(exchange.params.id!, exchange.access);
  return [
    {
      method: 'GET',
      pattern: '/containers/{id}/stats',
      handler: (exchange) => stats(engine, find(exchange), exchange),
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/top',
      handler: (exchange) => top(engine, find(exchange), exchange),
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/listening',
      handler: (exchange) => listening(find(exchange), exchange),
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/update',
      handler: async (exchange) => {
        const body = await exchange.json();
        if (exchange.access === 'platform') refuseUnsafeContainer({ HostConfig: body }, { volumes });
        exchange.send(200, { Warnings: engine.update(find(exchange), body) });
      },
    },
  ];
}

/** A sample a second; one with the sample of a second before, with `stream=0`; or one at once, with `one-shot=1`, too. */
async function stats(engine: Engine, container: Container, exchange: Exchange): Promise<void> {
  const streams = !['0', 'false', 'False'].includes(exchange.query.get('stream') ?? '');
  const output = exchange.stream('application/json');
  let before: StatsSample | undefined;
  if (!streams && !exchange.flag('one-shot')) {
    before = sample(engine, container);
    await pause(exchange);
  }
  do {
    const now = sample(engine, container);
    const view = statsView({ id: container.id, name: container.config.name }, now, before);
    if (!output.write(`${JSON.stringify(view)}\n`)) {
      await once(output, 'drain', { signal: exchange.signal }).catch(() => {});
    }
    before = now;
    if (streams) await pause(exchange);
  } while (streams && !exchange.signal.aborted && engine.has(container));
  output.end();
}

/** The wait is over early when the client has gone. */
async function pause(exchange: Exchange): Promise<void> {
  await sleep(SAMPLE_MILLISECONDS, undefined, { signal: exchange.signal }).catch(() => {});
}

function sample(engine: Engine, container: Container): StatsSample {
  const { state } = container;
  return {
    time: new Date(),
    resources: isAlive(state) ? engine.kernel.stats(container.id) : undefined,
    networks: isAlive(state) ? readNetworkCounters(state.process.pid) : {},
    machine: { cpus: cpus().length, memory: totalmem(), cpuNanoseconds: readMachineCpu() },
  };
}

/** What all cores have done since boot, idling included; see proc_stat(5). */
function readMachineCpu(): number {
  const NANOSECONDS_PER_TICK = 1e7;
  const [line = ''] = readFileSync('/proc/stat', 'latin1').split('\n', 1);
  const ticks = line.split(/\s+/).slice(1, 8).map(Number);
  return ticks.reduce((sum, count) => sum + count, 0) * NANOSECONDS_PER_TICK;
}

function listening({ state }: Container, exchange: Exchange): void {
  const sockets = isAlive(state) ? listeningSockets(state.process.pid) : [];
  exchange.send(200, { Sockets: sockets.map(({ port, loopback }) => ({ Port: port, Loopback: loopback })) });
}

function top(engine: Engine, container: Container, exchange: Exchange): void {
  if (!container.running) {
    throw new EngineError('conflict', `Container ${container.id.slice(0, 12)} is not running.`);
  }
  const processes = readProcesses(engine.kernel.processes(container.id));
  const moment = { now: Date.now(), memory: totalmem() };
  exchange.send(200, processTable(processes, exchange.query.get('ps_args') ?? '-ef', moment));
}
