import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { connect } from 'node:tls';
import { before, describe, it } from 'mocha';
import { BadHello, parseClientHello } from '../../../server/router/client-hello.ts';

describe('parseClientHello()', () => {
  let real: Buffer;

  before(async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = connect({
      port,
      host: '127.0.0.1',
      servername: 'App.example',
      ALPNProtocols: ['h2', 'x'],
    });
    client.on('error', () => {});
    const [socket] = await once(server, 'connection');
    [real] = (await once(socket, 'data')) as [Buffer];
    client.destroy();
    server.close();
  });

  const expected = { serverName: 'app.example', protocols: ['h2', 'x'] };

  it('reads what a real client says, whatever comes behind it', () => {
    assert.deepEqual(parseClientHello(real), expected);
    const changeCipherSpec = Buffer.from([20, 3, 3, 0, 1, 1]);
    assert.deepEqual(parseClientHello(Buffer.concat([real, changeCipherSpec])), expected);
  });

  it('waits for the end, at whichever byte it is cut', () => {
    for (let end = 0; end < real.length; end++) {
      assert.equal(parseClientHello(real.subarray(0, end)), undefined, `${end} bytes`);
    }
  });

  it('reads one that is spread over several records', () => {
    const message = real.subarray(5);
    for (const size of [100, 300, 1000]) {
      const begin = [record(message.subarray(0, 1)), record(message.subarray(1, 3))];
      const records = Buffer.concat([...begin, inRecords(message.subarray(3), size)]);
      assert.deepEqual(parseClientHello(records), expected);
    }
  });

  it('knows none without a name, and takes the dot off one that has it', () => {
    assert.deepEqual(parseClientHello(hello([])), { serverName: undefined, protocols: [] });
    assert.equal(parseClientHello(hello([name('a.example.')]))?.serverName, 'a.example');
  });

  const refused: [what: string, bytes: () => Buffer][] = [
    ['another record', () => Buffer.from([23, 3, 3, 0, 1, 0])],
    ['an old SSL', () => Buffer.from([22, 2, 0, 0, 1, 1])],
    ['an empty record', () => Buffer.from([22, 3, 1, 0, 0])],
    ['a record too long', () => Buffer.from([22, 3, 1, 0x40, 1])],
    ['another message', () => record(Buffer.from([2, 0, 0, 0]))],
    ['a message of 16 MB', () => record(Buffer.from([1, 0xff, 0xff, 0xff]))],
    // Every read would look at all of them again: minutes of a processor for 32 KB.
    ['a record for each byte', () => inRecords(real.subarray(5), 1)],
    ['bytes behind the message', () => record(Buffer.concat([real.subarray(5), Buffer.from([1])]))],
    ['two names', () => hello([name('a.example', 'b.example')])],
    ['the extension twice', () => hello([name('a.example'), name('b.example')])],
    ['a name with a line break', () => hello([name('a.example\n')])],
    ['a name with a path', () => hello([name('../a')])],
    ['an address', () => hello([name('[::1]')])],
    ['no name in the list', () => hello([extension(0, Buffer.from([0, 0]))])],
    ['a protocol without letters', () => hello([extension(16, Buffer.from([0, 1, 0]))])],
    ['an extension longer than the rest', () => hello([Buffer.from([0, 0, 0, 9, 1])])],
  ];
  for (const [what, bytes] of refused) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parseClientHello(bytes()), BadHello);
    });
  }

  it('says nothing else for 20,000 mutations', () => {
    let random = 1;
    const next = (below: number) => {
      random = (random * 48_271) % 2_147_483_647;
      return random % below;
    };
    for (let i = 0; i < 20_000; i++) {
      const bytes = Buffer.from(real.subarray(0, 1 + next(real.length)));
      for (let times = next(4); times >= 0; times--) bytes[next(Math.min(bytes.length, 200))] = next(256);
      try {
        parseClientHello(bytes);
      } catch (error) {
        if (!(error instanceof BadHello)) throw error;
      }
    }
  });
});

function record(fragment: Buffer): Buffer {
  return Buffer.concat([Buffer.from([22, 3, 1, fragment.length >> 8, fragment.length & 255]), fragment]);
}

function inRecords(message: Buffer, size: number): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) records.push(record(message.subarray(at, at + size)));
  return Buffer.concat(records);
}

function vector(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

function extension(type: number, data: Buffer): Buffer {
  return Buffer.concat([Buffer.from([0, type]), vector(data)]);
}

function name(...names: string[]): Buffer {
  const entries = names.map((text) => Buffer.concat([Buffer.from([0]), vector(Buffer.from(text))]));
  return extension(0, vector(Buffer.concat(entries)));
}

function hello(extensions: Buffer[]): Buffer {
  const body = Buffer.concat([
    ...[
      Buffer.from([3, 3]),
      Buffer.alloc(32),
      Buffer.from([0]),
      Buffer.from([0, 2, 0x13, 1]),
      Buffer.from([1, 0]),
    ],
    vector(Buffer.concat(extensions)),
  ]);
  return record(Buffer.concat([Buffer.from([1, 0, body.length >> 8, body.length & 255]), body]));
}
