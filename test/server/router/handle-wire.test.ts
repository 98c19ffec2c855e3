import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'mocha';
import { BufferPool } from '../../../server/router/buffer-pool.ts';
import { HandleWire } from '../../../server/router/handle-wire.ts';

describe('HandleWire', () => {
  const pool = new BufferPool();
  let server: Server;

  before(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
  });

  after(() => {
    server.close();
  });

  it('sends what is written in one turn in its order, small or large, and the end behind it', async () => {
    const { wire, other } = await connected();
    const large = Buffer.alloc(60_000, 'b');
    wire.write('a');
    wire.writeBoth('a', large);
    wire.write('c'.repeat(10_000));
    wire.write('d'.repeat(10_000));
    wire.end('e');
    const expected = `aa${large}${'c'.repeat(10_000)}${'d'.repeat(10_000)}e`;
    assert.ok((await buffer(other)).equals(Buffer.from(expected)));
    wire.destroy();
  });

  it('sends what is written in one turn as one', async () => {
    const { wire, other } = await connected();
    wire.write('one');
    wire.write('two');
    assert.equal(wire.sending, true);
    const [first] = await once(other, 'data');
    assert.equal(String(first), 'onetwo');
    assert.equal(wire.sending, false);
    wire.destroy();
  });

  it('loses nothing of it by destroy(), at once or soon; reset() does', async () => {
    for (const [close, expected] of [
      ['destroy', 'x'],
      ['destroySoon', 'x'],
      ['reset', undefined],
    ] as const) {
      const { wire, other } = await connected();
      const came = buffer(other).then(String, () => undefined);
      wire.write('x');
      wire[close]();
      assert.equal(await came, expected, close);
    }
  });

  it('tells once that it is closed, not from within the call, and whether it broke', async () => {
    for (const [close, broken] of [
      [(wire: HandleWire) => wire.destroy(), false],
      [(wire: HandleWire) => wire.reset(), false],
      [(_: HandleWire, other: Socket) => other.resetAndDestroy(), true],
    ] as const) {
      const told: boolean[] = [];
      const isTold = Promise.withResolvers<void>();
      const { wire, other } = await connected((isBroken) => {
        told.push(isBroken);
        isTold.resolve();
      });
      other.on('error', () => {});
      close(wire, other);
      assert.deepEqual(told, []);
      await isTold.promise;
      wire.destroy();
      await new Promise((done) => setTimeout(done, 20));
      assert.deepEqual(told, [broken]);
    }
  });

  async function connected(
    closed: (broken: boolean) => void = () => {},
  ): Promise<{ wire: HandleWire; other: Socket }> {
    const accepted = once(server, 'connection');
    const isConnected = Promise.withResolvers<void>();
    const user = { read() {}, ended() {}, drained() {}, closed, connected: isConnected.resolve };
    const wire = HandleWire.connect(
      { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
      { user, pool },
    );
    const [other] = (await accepted) as [Socket];
    await isConnected.promise;
    return { wire, other };
  }
});
