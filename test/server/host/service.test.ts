import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { type Ready, Service } from '../../../server/host/service.ts';

describe('Service', () => {
  it('start() resolves with what the process announces, and passes its other lines on as log', async () => {
    const { service, lines } = make(`console.log('hello'); console.log('ready {"http":"a:1"}'); ${STAY}`);
    assert.deepEqual(await service.start(), { http: 'a:1' });
    await service.stop();
    assert.deepEqual(lines, ['hello']);
  });

  it('start() throws with the last words of a process that ends before it is ready', async () => {
    const { service } = make(`console.error('no such file'); process.exit(3)`);
    await assert.rejects(service.start(), /"test": it ended with status 3\.\n {2}no such file/);
  });

  it('start() throws when the program is not there', async () => {
    const service = new Service({
      name: 'test',
      command: () => ({ argv: ['/nonexistent'], env: {} }),
      log: () => {},
    });
    await assert.rejects(service.start(), /could not be started .*ENOENT/);
  });

  it('starts it again at once when it dies, asking for the command anew', async () => {
    const ready: Ready[] = [];
    let starts = 0;
    const service = new Service({
      name: 'test',
      command: () => {
        starts += 1;
        return node(`console.log('ready {"pid":"' + process.pid + '"}'); ${STAY}`);
      },
      log: () => {},
      onReady: (found) => ready.push(found),
    });
    const first = await service.start();
    process.kill(Number(first.pid), 'SIGKILL');
    for (let waited = 0; ready.length < 2 && waited < 100; waited += 1) await sleep(20);
    await service.stop();
    assert.equal(starts, 2);
    assert.notEqual(ready[1]?.pid, first.pid);
  });

  it('starts the next one beside one that is leaving; stop() ends both', async () => {
    const ready: Ready[] = [];
    const leaving = `process.on('SIGTERM', () => console.log('leaving')); console.log('ready {"pid":"' + process.pid + '"}');`;
    const service = new Service({
      name: 'test',
      command: () => node(`${leaving} ${STAY}`),
      log: () => {},
      onReady: (found) => ready.push(found),
    });
    const first = Number((await service.start()).pid);
    process.kill(first, 'SIGTERM');
    for (let waited = 0; ready.length < 2 && waited < 500; waited += 1) await sleep(20);
    assert.equal(ready.length, 2);
    process.kill(first, 0);
    await service.stop(200);
    for (const { pid } of ready) assert.throws(() => process.kill(Number(pid), 0), /ESRCH/);
  });

  it('stop() ends it by SIGTERM, by force after the grace, and starts nothing again', async () => {
    const { service, lines } = make(`process.on('SIGTERM', () => {}); console.log('ready {}'); ${STAY}`);
    await service.start();
    const begun = Date.now();
    await service.stop(200);
    assert.ok(Date.now() - begun >= 190);
    await sleep(50);
    assert.deepEqual(lines, []);
  });
});

const STAY = 'setInterval(() => {}, 1000);';

function make(script: string): { service: Service; lines: string[] } {
  const lines: string[] = [];
  const service = new Service({ name: 'test', command: () => node(script), log: (line) => lines.push(line) });
  return { service, lines };
}

function node(script: string): { argv: [string, ...string[]]; env: Record<string, string> } {
  return { argv: [process.execPath, '-e', script], env: {} };
}
