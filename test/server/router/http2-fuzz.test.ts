import assert from 'node:assert/strict';
import { connect } from 'node:http2';
import { after, before, describe, it } from 'mocha';
import { malformedStreams } from './fuzz/fuzz-run.ts';
import { makeHttp2Case } from './fuzz/http2-mutations.ts';
import { randomOf } from './fuzz/mutations.ts';
import { RecordingBackend } from './fuzz/recording-backend.ts';
import { FRAME, FrameClient } from './http2-fixture.ts';
import { delay, eventually, TestRouter, tableOf } from './router-fixture.ts';
import { TestAuthority } from './tls-fixture.ts';

// FUZZ_CASES=100000 FUZZ_SEED=7: how many, and which ones.
const CASES = Number(process.env.FUZZ_CASES ?? 400);
const SEED = Number(process.env.FUZZ_SEED ?? Date.now() % 1_000_000);
const AT_ONCE = 16;
/** Requests of one connection, if it lasts. */
const OF_A_CONNECTION = 50;

describe(`malformed HTTP/2 (${CASES} of seed ${SEED})`, function () {
  this.timeout(60_000 + CASES * 100);
  let authority: TestAuthority;
  let backend: RecordingBackend;
  let router: TestRouter;

  before(async () => {
    authority = new TestAuthority();
    backend = await RecordingBackend.start();
    // After some orders of frames with a GOAWAY Node does not read on, and sees no end of a connection: silence ends its requests.
    router = await TestRouter.start({ linger: 100, silence: 3000, firstByte: 3000 });
    await router.listenTls();
    const certificates = [{ hosts: ['app.localhost'], ...authority.issue('app.localhost') }];
    router.routes.swap({ ...tableOf([backend.port]), certificates });
  });
  after(async () => {
    await router.stop();
    backend.stop();
    authority.remove();
  });

  it('ends no router, and nothing of it reaches the app as something else', async () => {
    const random = randomOf(SEED);
    const smuggled: string[] = [];
    let begun = 0;
    let passed = 0;
    const worker = async () => {
      let client: FrameClient | undefined;
      /** Nothing malformed was sent on this connection yet. */
      let isClean = true;
      for (let stream = 1; begun < CASES; stream += 2) {
        begun += 1;
        if (!client || client.socket.closed || client.goaway !== undefined || stream > 2 * OF_A_CONNECTION) {
          client?.close();
          client = await open();
          stream = 1;
          isClean = true;
        }
        const id = `c${hex(random)}${hex(random)}c`;
        backend.expect(id);
        const { frames, isProper } = makeHttp2Case({ id, stream, random });
        isClean &&= isProper;
        client.socket.write(frames);
        await end(client, { stream, isClean });
        const seen = backend.take(id).filter(({ complete }) => complete);
        passed += seen.length;
        if (seen.some(({ target }) => target.includes('hidden')) || seen.length > 1)
          smuggled.push(JSON.stringify([frames.toString('latin1'), seen]));
        if (isClean) assert.equal(seen.length, 1, `${id} ${frames.toString('latin1')}`);
      }
      client?.close();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    console.log(`      ${begun} cases, ${passed} requests reached the app`);
    assert.deepEqual(smuggled.slice(0, 3), []);
    assert.deepEqual(malformedStreams(backend).slice(0, 3), []);
    assert.deepEqual(
      backend.strays.filter(({ target }) => target.includes('hidden')),
      [],
    );

    // Nothing is left over, and it serves on.
    const isQuiet = () => router.routes.upstreams.inFlight().length === 0 && router.connections === 0;
    await eventually(() => isQuiet() || undefined, 'no request and no connection', 20_000);
    const session = connect(`https://127.0.0.1:${router.tlsPort}`, {
      ca: authority.certificate,
      servername: 'app.localhost',
    });
    const request = session.request({ ':authority': 'app.localhost', ':path': '/on' });
    let body = '';
    for await (const piece of request) body += piece;
    session.destroy();
    assert.equal(body, '/on');
  });

  function open(): Promise<FrameClient> {
    return FrameClient.connect(router.tlsPort, { ca: authority.certificate, servername: 'app.localhost' });
  }
});

/** Waits for an answer; one to a malformed request may never come. */
async function end(client: FrameClient, { stream, isClean }: { stream: number; isClean: boolean }) {
  for (let waited = 0; waited < (isClean ? 10_000 : 40) && !client.socket.closed; waited += 2) {
    if (client.goaway !== undefined) return;
    const isEnd = client.frames.some(
      (frame) =>
        frame.stream === stream &&
        (frame.type === FRAME.reset || (frame.type <= FRAME.headers && frame.flags & 1)),
    );
    if (isEnd) return;
    await delay(2);
  }
}

function hex(random: () => number): string {
  return Math.floor(random() * 0x1000000)
    .toString(16)
    .padStart(6, '0');
}
