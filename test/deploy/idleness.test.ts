import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, it } from 'mocha';
import { Idleness, type IdlenessOptions } from '../../deploy/formation/idleness.ts';
import { KeyedMutex } from '../../deploy/model/mutex.ts';
import type { PortMapping } from '../../deploy/model/port-mapping.ts';

describe('Idleness', () => {
  let idleness: Idleness;
  let lock: KeyedMutex;

  afterEach(() => idleness.close());

  /** One app that becomes idle after 20 ms; `sleep` is asked to let its dynos go. */
  function watching(sleepOnce: () => Promise<boolean>, ports: PortMapping[] = [], idleAfter = 0.02): void {
    lock = new KeyedMutex();
    idleness = new Idleness({
      store: { has: () => true, find: () => ({ idleAfter }) },
      ports: { of: () => ports },
      dynos: { isIdle: () => false, sleep: sleepOnce },
      logs: { append: () => {} },
      activity: {},
      lock,
    } as unknown as IdlenessOptions);
    idleness.watch('shop');
  }

  it('tries again when an app could not be let go', async () => {
    let tries = 0;
    watching(async () => {
      tries += 1;
      throw new Error('the router is away');
    });
    for (let waited = 0; tries < 3 && waited < 200; waited += 1) await sleep(20);
    assert.ok(tries >= 3, `it was tried ${tries} times`);
  });

  it('lets nothing go to which a TCP or UDP port leads, which cannot wake it', async () => {
    const asleep: string[] = [];
    const to = (protocol: PortMapping['protocol'], type: string) => [
      { protocol, port: 7000, type, target: 7 },
    ];
    for (const ports of [to('tcp', 'web'), to('udp', 'web'), to('http', 'web'), to('tcp', 'db')]) {
      watching(async () => asleep.push(`${ports[0]!.protocol} ${ports[0]!.type}`) > 0, ports);
      await sleep(100);
      idleness.close();
    }
    assert.deepEqual([...new Set(asleep)], ['http web', 'tcp db']);
  });

  it('does not let a release go that has just gone live, though nobody had come for so long', async () => {
    let asleep = 0;
    watching(async () => ++asleep > 0, [], 1);
    // A deploy; the time is over meanwhile.
    await lock.run('shop', async () => {
      await sleep(1200);
      idleness.watch('shop');
    });
    await lock.run('shop', async () => {});
    assert.equal(asleep, 0);
  });

  it('looks after an app once, however often it is told to', async () => {
    let [at, most] = [0, 0];
    watching(async () => {
      most = Math.max(most, ++at);
      await sleep(30);
      at -= 1;
      return true;
    });
    for (let more = 0; more < 5; more += 1) idleness.watch('shop');
    await sleep(150);
    assert.equal(most, 1);
  });
});
