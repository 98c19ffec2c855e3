import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, it } from 'mocha';
import { delay, RawBackend, sendRaw, TestRouter } from './router-fixture.ts';

// SLOW_CLIENTS=3000: so many of each kind, and the limits that the router really has.
const COUNT = Number(process.env.SLOW_CLIENTS ?? 60);
const LIMITS = process.env.SLOW_CLIENTS ? {} : { headTime: 3000, silence: 3000 };
/** So that many clients do not become fast together. */
const DRIP = Math.max(200, COUNT * 4);
const HOST = 'Host: app.localhost\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`;

const KINDS: [what: string, begin: string, drip: string][] = [
  ['heads', `GET / HTTP/1.1\r\n${HOST}`, 'a: b\r\n'],
  ['bodies', `POST / HTTP/1.1\r\n${HOST}Content-Length: 100000\r\n\r\n`, 'x'],
  ['chunks', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n`, '1\r\nx\r\n'],
  ['readers', `GET /large HTTP/1.1\r\n${HOST}\r\n`, ''],
];

describe('slow clients', function () {
  this.timeout(180_000);
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  it(`${COUNT} of each kind are closed within a minute, and others are served meanwhile`, async () => {
    const large = Buffer.concat([
      Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n'),
      Buffer.alloc(20_000_000),
    ]);
    const backend = await RawBackend.start((socket, text) => {
      if (text.startsWith('GET /large')) socket.write(large);
      else if (text.startsWith('GET')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    });
    cleanups.push(() => backend.stop());
    const router = await TestRouter.start({ ...LIMITS, sweep: 250 });
    cleanups.push(() => router.stop());
    router.serve([backend.port]);

    const slow = KINDS.flatMap(([, begin, drip], kind) =>
      Array.from({ length: kind === 3 ? 20 : COUNT }, (_, i) =>
        open(router.port, { begin, drip, from: `127.0.3.${1 + (i % 200)}` }),
      ),
    );
    cleanups.push(() => {
      for (const socket of slow) socket.destroy();
    });
    while (slow.some(({ connecting }) => connecting)) await delay(20);
    const begun = Date.now();
    let served = 0;
    while (router.connections > 0 && Date.now() - begun < 70_000) {
      assert.match(await sendRaw(router.port, GET), /^HTTP\/1\.1 200 [\s\S]*ok$/);
      served += 1;
      await delay(50);
    }
    const took = Date.now() - begun;
    if (process.env.SLOW_CLIENTS) console.log(`      all closed after ${took} ms, ${served} others served`);
    assert.ok(took < 60_000, `${took} ms`);
    assert.ok(served > 0);
  });
});

/** A client that says a little every now and then, and reads nothing. */
function open(port: number, { begin, drip, from }: { begin: string; drip: string; from: string }): Socket {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from, allowHalfOpen: true });
  socket.on('error', () => {});
  socket.write(begin);
  const timer = setInterval(() => drip && socket.write(drip), DRIP);
  socket.on('close', () => clearInterval(timer));
  if (drip) socket.on('data', () => {}).on('end', () => socket.end());
  return socket;
}
