import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, it } from 'mocha';
import ssh2 from 'ssh2';
import { NO_SUCH_REPOSITORY } from '../../server/ssh/git-command.ts';
import { type ClientKey, SshFixture } from '../server/ssh/ssh-fixture.ts';

// Every probe is first turned on a careless server, made as ssh2's own examples make one: it must find the hole there.

describe('SSH security', () => {
  let fixture: SshFixture;
  let careless: CarelessServer;

  before(async () => {
    // Nobody is to go because the time to sign in is over, however slow the machine.
    const limits = { failureDelayMilliseconds: 0, loginMilliseconds: 600_000 };
    fixture = await new SshFixture().start({ limits });
    fixture.platform.addApp('blog');
    fixture.platform.changes.length = 0;
    careless = await CarelessServer.start(fixture.alice);
  });
  after(async () => {
    careless.close();
    await fixture.stop();
  });

  describe('exec', () => {
    it('gives one answer to every bad repository, and starts nothing', async () => {
      const client = await fixture.connect();
      for (const command of [
        "git-receive-pack '--upload-pack=x'",
        "git-receive-pack '../a'",
        "git-receive-pack 'a;id'",
        "git-receive-pack 'a' ; id",
        "git-receive-pack 'a\n'",
        `git-upload-pack '${'a'.repeat(300)}'`,
        "git-upload-pack 'ext::sh'",
        'git-shell',
      ]) {
        const { status, stdout, stderr } = await exec(client, command);
        assert.deepEqual([status, stdout, stderr], [2, '', ` !     ${NO_SUCH_REPOSITORY}\n`], command);
      }
      client.end();
      assert.deepEqual(fixture.platform.changes, []);
    });

    it('knows no shell', async () => {
      const client = await fixture.connect();
      for (const command of [
        'sh',
        'bash -i',
        '/bin/sh',
        'id',
        'scp -t /',
        'internal-sftp',
        'sftp-server',
        'rsync --server',
      ]) {
        const { status, stderr } = await exec(client, command);
        assert.equal(status, 2, command);
        assert.match(stderr, /There is no command/);
      }
      client.end();
    });

    it('drops the environment, save GIT_PROTOCOL when it is version=[0-2]', async () => {
      const seen: unknown[] = [];
      const { pushes } = fixture.platform;
      fixture.platform.pushes = {
        ...pushes,
        receive: async (_app, { protocol }) => {
          seen.push(protocol);
          return 0;
        },
      };
      for (const env of [
        { GIT_PROTOCOL: 'version=2' },
        { GIT_PROTOCOL: 'version=3' },
        { GIT_PROTOCOL: 'version=2:x' },
        { GIT_PROTOCOL: 'version=2\n' },
        {
          LD_PRELOAD: '/x.so',
          GIT_SSH_COMMAND: 'id',
          GIT_EXEC_PATH: '/x',
          '--split-string': 'x',
          PATH: '/x',
        },
      ]) {
        const client = await fixture.connect();
        await exec(client, "git-receive-pack 'blog'", { env });
        client.end();
      }
      fixture.platform.pushes = pushes;
      assert.deepEqual(seen, ['version=2', undefined, undefined, undefined, undefined]);
    });
  });

  describe('forwarding, subsystems, agents', () => {
    it('are refused', async () => {
      const client = await fixture.connect();
      const attempts: [string, (done: (error?: Error | null) => void) => void][] = [
        ['direct-tcpip', (done) => client.forwardOut('127.0.0.1', 1, '127.0.0.1', fixture.port, done)],
        ['tcpip-forward', (done) => client.forwardIn('127.0.0.1', 0, done)],
        ['streamlocal', (done) => client.openssh_forwardOutStreamLocal('/run/x.sock', done)],
        ['streamlocal-forward', (done) => client.openssh_forwardInStreamLocal('/run/x.sock', done)],
        ['sftp', (done) => client.sftp(done)],
        ['subsystem', (done) => client.subsys('netconf', done)],
      ];
      for (const [name, attempt] of attempts) {
        const error = await new Promise<Error | null | undefined>((resolve) => attempt(resolve));
        assert.ok(error, `${name} was granted`);
      }
      client.end();
    });
  });

  describe('sign-in', () => {
    it('knows no password, no keyboard-interactive, no "none"', async () => {
      for (const settings of [{ password: 'x' }, { tryKeyboard: true }, {}]) {
        const client = new ssh2.Client();
        client.connect({ host: '127.0.0.1', port: fixture.port, username: 'paas', ...settings });
        const [error] = await once(client, 'error');
        assert.match(error.message, /authentication methods failed/);
      }
    });

    it('takes the identity from the key that signed, not from one that was offered', async () => {
      const mallory = fixture.makeKey('mallory');
      fixture.platform.addKey('mallory', mallory.blob);
      const probe = async (port: number) => {
        const client = new ssh2.Client();
        // Offers alice's public key first, which it cannot sign with, then its own.
        const agent = new OfferingAgent([fixture.alice, mallory], (key) => key === mallory);
        client.on('error', () => {}); // of the agent that will not sign
        client.connect({ host: '127.0.0.1', port, username: 'alice', agent });
        await emitted(client, 'ready');
        const { stdout } = await exec(client, '', { shell: true });
        client.end();
        return stdout;
      };
      careless.accept(fixture.alice, mallory);
      assert.match(
        await probe(careless.port),
        /^You are alice/,
        'the probe finds the hole in a careless server',
      );
      assert.match(await probe(fixture.port), /^You are mallory/);
    });

    it("refuses another key's signature", async () => {
      const mallory = fixture.makeKey('mallory2');
      const client = new ssh2.Client();
      const agent = new OfferingAgent([fixture.alice], () => true, mallory);
      client.connect({ host: '127.0.0.1', port: fixture.port, username: 'paas', agent });
      const [error] = await once(client, 'error');
      assert.match(error.message, /authentication methods failed/);
    });

    it('ends a connection after six failures', async () => {
      const keys = Array.from({ length: 20 }, (_, index) => fixture.makeKey(`unknown${index}`));
      let signed = 0;
      const agent = new OfferingAgent(keys, () => {
        signed += 1;
        return true;
      });
      const client = new ssh2.Client();
      client.on('error', () => {});
      client.connect({ host: '127.0.0.1', port: fixture.port, username: 'paas', agent });
      await emitted(client, 'close');
      assert.equal(signed, 6);
    });

    it('answers known and unknown keys and users alike, in the same time (1,000 each)', async function () {
      this.timeout(60_000);
      const slow = await new SshFixture().start({
        limits: { tries: Infinity, failureDelayMilliseconds: 0, loginMilliseconds: 600_000 },
      });
      const known = slow.alice.blob;
      const unknown = slow.makeKey('unknown').blob;
      const wrong = Buffer.alloc(64, 1);
      // One connection for each, and names of one length, so that only what the server does can differ.
      const probers: KeyProber[] = [];
      const probe = async (user: string, key: Buffer, signature?: Buffer) => {
        const prober = await KeyProber.connect(slow.port, user);
        probers.push(prober);
        return () => prober.offer(key, signature);
      };
      const results = await sample(1000, {
        known: await probe('alice', known),
        unknown: await probe('alice', unknown),
        'known, other user': await probe('nobod', known),
        'known, signed': await probe('alice', known, wrong),
        'unknown, signed': await probe('alice', unknown, wrong),
      });
      for (const prober of probers) prober.end();
      await slow.stop();
      for (const [one, two, answer] of [
        ['known', 'unknown', 'sign'],
        ['known', 'known, other user', 'sign'],
        ['known, signed', 'unknown, signed', 'failure'],
      ] as const) {
        assert.deepEqual([...results[one].answers, ...results[two].answers], [answer, answer]);
        const told = advantage(results[one].times, results[two].times);
        assert.ok(told < 0.56, `${one} is told from ${two} in ${told} of all cases`);
      }
      const slower = results.unknown.times.map((time) => time * 1.15);
      assert.ok(advantage(results.known.times, slower) > 0.56, 'a difference of 15 % would be seen');
    });

    it('ends who does not sign in within the time', async () => {
      // On a slow machine signing in takes seconds.
      const began = Date.now();
      (await fixture.connect()).end();
      const loginMilliseconds = 200 + 5 * (Date.now() - began);
      const hasty = await new SshFixture().start({ limits: { loginMilliseconds } });
      const client = await hasty.connect();
      const socket = connect(hasty.port, '127.0.0.1');
      socket.resume();
      // Its time begins after the client's.
      await once(socket, 'close');
      assert.equal((await exec(client, 'version')).status, 0, 'one who has signed in stays');
      client.end();
      await hasty.stop();
    });

    it('ends for a key that is removed, on standing connections too', async () => {
      const bob = fixture.makeKey('bob');
      fixture.platform.addKey('bob', bob.blob);
      const client = await fixture.connect(bob);
      assert.equal((await exec(client, 'version')).status, 0);
      fixture.platform.keys.remove('bob', 'alice');
      await assert.rejects(exec(client, 'version'), /open failure/);
      client.end();
      fixture.platform.changes.length = 0;
    });
  });

  describe('floods', () => {
    it('1,000 idle connections leave room for a good client', async function () {
      this.timeout(120_000);
      const sockets = Array.from({ length: 1000 }, () =>
        connect(fixture.port, '127.0.0.1').on('error', () => {}),
      );
      for (const socket of sockets) socket.resume();
      await Promise.all(
        sockets.map((socket) => socket.readyState === 'open' || once(socket, 'connect').catch(() => {})),
      );
      const open = () => sockets.filter((socket) => !socket.closed && !socket.readableEnded).length;
      // A full listen queue lets the last of them in seconds later: then they would be newer than the good client.
      for (let tries = 0; open() > 32 && tries < 800; tries++) await sleep(100);
      const { status, stderr } = await fixture.ssh(['version']);
      const left = open();
      for (const socket of sockets) socket.destroy();
      assert.equal(status, 0, stderr);
      assert.ok(left <= 32, `${left} of 1,000 are still open`);
    });

    it('10,000 channels on a connection are cut down to sixteen', async function () {
      this.timeout(30_000);
      const probe = async (port: number) => {
        const client = new ssh2.Client();
        client.connect({ host: '127.0.0.1', port, username: 'paas', privateKey: fixture.alice.private });
        await once(client, 'ready');
        const opening = Array.from(
          { length: 10_000 },
          () =>
            new Promise<number>((resolve) =>
              client.exec('logs -t -a blog', (error, channel) => resolve(error || !channel ? 0 : 1)),
            ),
        );
        const opened = (await Promise.all(opening)).reduce((sum, one) => sum + one, 0);
        client.end();
        return opened;
      };
      assert.equal(await probe(careless.port), 10_000, 'the probe finds the hole in a careless server');
      assert.equal(await probe(fixture.port), 16);
      assert.equal((await fixture.ssh(['version'])).status, 0);
    });
  });

  describe('the protocol', () => {
    it('ends a connection that sends past its window, before it costs memory', async function () {
      this.timeout(30_000);
      const probe = async (port: number) => {
        const client = new ssh2.Client();
        client.on('error', () => {});
        client.connect({ host: '127.0.0.1', port, username: 'paas', privateKey: fixture.alice.private });
        await emitted(client, 'ready');
        const closed = emitted(client, 'close').then(() => true);
        await new Promise<void>((resolve) => client.exec('logs -t -a blog', () => resolve()));
        const before = process.memoryUsage.rss();
        const chunk = Buffer.alloc(32_000);
        const { _protocol } = client as unknown as {
          _protocol: { channelData(id: number, data: Buffer): void };
        };
        for (let sent = 0; sent < 4_000_000; sent += chunk.length) _protocol.channelData(0, chunk);
        // Who answers what comes after it has read it all and gone on.
        const goesOn = new Promise<boolean>((resolve) =>
          client.exec('version', (error) => error || resolve(false)),
        );
        const ended = await Promise.race([closed, goesOn]);
        client.end();
        return { ended, grown: process.memoryUsage.rss() - before };
      };
      assert.equal((await probe(careless.port)).ended, false, 'a careless server keeps listening');
      const { ended, grown } = await probe(fixture.port);
      assert.equal(ended, true);
      // Client and server are one process here, and the client's own 4 MB count too.
      assert.ok(grown < 20_000_000, `${grown} bytes`);
    });

    it('offers no compression', async () => {
      const connectWith = (port: number) => {
        const client = new ssh2.Client();
        const settings = { host: '127.0.0.1', port, username: 'paas', privateKey: fixture.alice.private };
        client.connect({ ...settings, algorithms: { compress: ['zlib', 'zlib@openssh.com'] } });
        return Promise.race([once(client, 'ready').then(() => client.end()), once(client, 'error')]).catch(
          (error) => [error],
        );
      };
      assert.ok(!Array.isArray(await connectWith(careless.port)), 'a careless server offers it');
      const [error] = (await connectWith(fixture.port)) as Error[];
      assert.match(error!.message, /no matching.*compress/i);
    });

    it('refuses a packet before the key exchange (Terrapin)', async () => {
      const through = async (extra: Buffer) => {
        const proxy = await injectingProxy(fixture.port, extra);
        const client = new ssh2.Client();
        const outcome = Promise.race([
          once(client, 'ready').then(() => 'ready'),
          once(client, 'error').then(() => 'refused'),
        ]).catch(() => 'refused');
        const { port } = proxy.address() as { port: number };
        client.connect({ host: '127.0.0.1', port, username: 'paas', privateKey: fixture.alice.private });
        const result = await outcome;
        client.end();
        proxy.close();
        return result;
      };
      assert.equal(await through(Buffer.alloc(0)), 'ready', 'the way itself works');
      // length 12, padding 6, IGNORE (2) with an empty string, padding
      assert.equal(
        await through(Buffer.from(`0000000c06${'02'}00000000${'00'.repeat(6)}`, 'hex')),
        'refused',
      );
    });

    it('survives junk', async () => {
      for (const junk of [
        Buffer.alloc(100_000, 0xff),
        Buffer.from('GET / HTTP/1.0\r\n\r\n'),
        Buffer.from('SSH-2.0-x\r\n\xff\xff\xff\xff', 'latin1'),
      ]) {
        const socket = connect(fixture.port, '127.0.0.1').on('error', () => {});
        socket.resume();
        socket.end(junk);
        await Promise.race([once(socket, 'close'), sleep(2000)]);
        socket.destroy();
      }
      assert.equal((await fixture.ssh(['version'])).status, 0);
    });
  });
});

/** Like `once`, whatever errors come first. */
function emitted(emitter: ssh2.Client, event: string): Promise<void> {
  return new Promise((resolve) => emitter.once(event as 'ready', () => resolve()));
}

interface ExecOutcome {
  status: number | undefined;
  stdout: string;
  stderr: string;
}

function exec(
  client: ssh2.Client,
  command: string,
  { env, shell = false }: { env?: NodeJS.ProcessEnv; shell?: boolean } = {},
): Promise<ExecOutcome> {
  return new Promise((resolve, reject) => {
    const take = (error: Error | undefined, channel: ssh2.ClientChannel) => {
      if (error) return reject(error);
      const outcome: ExecOutcome = { status: undefined, stdout: '', stderr: '' };
      channel.on('data', (chunk: Buffer) => {
        outcome.stdout += chunk;
      });
      channel.stderr.on('data', (chunk: Buffer) => {
        outcome.stderr += chunk;
      });
      channel.on('exit', (status: number) => {
        outcome.status = status;
      });
      channel.on('close', () => resolve(outcome));
      channel.end();
    };
    if (shell) client.shell(false, take);
    else client.exec(command, env ? { env } : {}, take);
  });
}

/** An agent that offers keys in order and signs with those that it may, or with another key in their name. */
class OfferingAgent extends ssh2.BaseAgent {
  #keys: ClientKey[];
  #maySign: (key: ClientKey) => boolean;
  #signWith: ClientKey | undefined;

  constructor(keys: ClientKey[], maySign: (key: ClientKey) => boolean, signWith?: ClientKey) {
    super();
    this.#keys = keys;
    this.#maySign = maySign;
    this.#signWith = signWith;
  }

  override getIdentities(callback: (error: Error | undefined, keys?: ssh2.ParsedKey[]) => void): void {
    callback(
      undefined,
      this.#keys.map((key) => ssh2.utils.parseKey(key.publicLine) as ssh2.ParsedKey),
    );
  }

  override sign(publicKey: ssh2.ParsedKey, data: Buffer, ...rest: unknown[]): void {
    const callback = rest.at(-1) as (error: Error | undefined, signature?: Buffer) => void;
    const key = this.#keys.find(({ blob }) => blob.equals(publicKey.getPublicSSH()))!;
    if (!this.#maySign(key)) {
      callback(new Error('will not'));
      return;
    }
    const signer = ssh2.utils.parseKey((this.#signWith ?? key).private) as ssh2.ParsedKey;
    callback(undefined, signer.sign(data) as unknown as Buffer);
  }
}

interface RawProtocol {
  _handlers: Record<string, (...args: unknown[]) => void>;
  authPK(
    user: string,
    key: Buffer,
    algorithm: string,
    sign?: (data: Buffer, done: (signature: Buffer) => void) => void,
  ): void;
}

/** Sends sign-in requests one by one and times the answers. */
class KeyProber {
  #client: ssh2.Client;
  #protocol: RawProtocol;
  #user: string;
  #answer: (answer: string) => void = () => {};
  #ended: Promise<never>;

  constructor(client: ssh2.Client, user: string) {
    this.#client = client;
    this.#ended = new Promise((_, reject) => {
      client.once('close', () => reject(new Error('The server ended the connection.')));
    });
    this.#ended.catch(() => {});
    this.#user = user;
    this.#protocol = (client as unknown as { _protocol: RawProtocol })._protocol;
    this.#protocol._handlers.USERAUTH_PK_OK = () => this.#answer('sign');
    this.#protocol._handlers.USERAUTH_FAILURE = () => this.#answer('failure');
    this.#protocol._handlers.USERAUTH_SUCCESS = () => this.#answer('success');
  }

  static async connect(port: number, user: string): Promise<KeyProber> {
    const client = new ssh2.Client();
    client.on('error', () => {});
    return new Promise((resolve) => {
      const authHandler = () => {
        client.setNoDelay(true); // else delayed acknowledgements are all that is measured
        setImmediate(() => resolve(new KeyProber(client, user)));
      };
      client.connect({
        host: '127.0.0.1',
        port,
        username: user,
        readyTimeout: 0,
        authHandler: authHandler as never,
      });
    });
  }

  async offer(key: Buffer, signature?: Buffer): Promise<{ answer: string; milliseconds: number }> {
    const answered = new Promise<string>((resolve) => {
      this.#answer = resolve;
    });
    const began = performance.now();
    const sign = signature && ((_data: Buffer, done: (signature: Buffer) => void) => done(signature));
    this.#protocol.authPK(this.#user, key, 'ssh-ed25519', sign);
    const answer = await Promise.race([answered, this.#ended]);
    return { answer, milliseconds: performance.now() - began };
  }

  end(): void {
    this.#client.end();
  }
}

interface Sample {
  answers: Set<string>;
  times: number[];
}

/** `rounds` of all probes, each round in another order so that none gains by its place; after some to warm up. */
async function sample<Name extends string>(
  rounds: number,
  probes: Record<Name, () => Promise<{ answer: string; milliseconds: number }>>,
): Promise<Record<Name, Sample>> {
  const names = Object.keys(probes) as Name[];
  const results = Object.fromEntries(
    names.map((name): [string, Sample] => [name, { answers: new Set(), times: [] }]),
  ) as Record<Name, Sample>;
  for (let round = -100; round < rounds; round += 1) {
    const order = names.map((name) => ({ name, place: Math.random() })).sort((a, b) => a.place - b.place);
    for (const { name } of order) {
      const { answer, milliseconds } = await probes[name]();
      if (round < 0) continue;
      results[name].answers.add(answer);
      results[name].times.push(milliseconds);
    }
  }
  return results;
}

/** How often one of `a` is told from one of `b` by its time: 0.5 is chance (the area under the ROC curve). */
function advantage(a: number[], b: number[]): number {
  const sorted = [...b].sort((one, two) => one - two);
  let below = 0;
  for (const time of a) {
    let [low, high] = [0, sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sorted[middle]! < time) low = middle + 1;
      else high = middle;
    }
    below += low;
  }
  const area = below / (a.length * b.length);
  return Math.max(area, 1 - area);
}

/** What ssh2's examples would make: no caps, identity at the first sight of a key, all algorithms. */
class CarelessServer {
  #server: ssh2.Server;
  #keys: ClientKey[];
  readonly port: number;

  constructor(server: ssh2.Server, keys: ClientKey[]) {
    this.#server = server;
    this.#keys = keys;
    this.port = (server.address() as { port: number }).port;
  }

  static async start(...keys: ClientKey[]): Promise<CarelessServer> {
    const server = new ssh2.Server({ hostKeys: [ssh2.utils.generateKeyPairSync('ed25519').private] });
    const careless: { keys: ClientKey[] } = { keys };
    server.on('connection', (connection) => carelessConnection(connection, careless.keys));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const made = new CarelessServer(server, keys);
    careless.keys = made.#keys;
    return made;
  }

  /** These keys may sign in; the first is the admin's. */
  accept(...keys: ClientKey[]): void {
    this.#keys.splice(0, this.#keys.length, ...keys);
  }

  close(): void {
    this.#server.close();
  }
}

function carelessConnection(connection: ssh2.Connection, keys: ClientKey[]): void {
  let admin = false;
  connection.on('error', () => {});
  connection.on('authentication', (context) => {
    if (context.method !== 'publickey') return context.reject(['publickey']);
    const found = keys.findIndex(({ blob }) => blob.equals(context.key.data));
    if (found === 0) admin = true;
    if (found === -1) context.reject(['publickey']);
    else context.accept();
  });
  connection.on('session', (accept) => {
    const session = accept();
    session.on('exec', (take) => void take());
    session.on('shell', (take) => {
      const channel = take();
      channel.write(admin ? 'You are alice' : 'You are somebody');
      channel.exit(0);
      channel.end();
    });
  });
}

/** Forwards to the server and puts `extra` after the client's first line. */
async function injectingProxy(port: number, extra: Buffer): Promise<Server> {
  const proxy = createServer((client: Socket) => {
    const server = connect(port, '127.0.0.1');
    client.on('error', () => server.destroy());
    server.on('error', () => client.destroy());
    server.pipe(client);
    client.once('data', (first: Buffer) => {
      const end = first.indexOf('\n') + 1;
      server.write(Buffer.concat([first.subarray(0, end), extra, first.subarray(end)]));
      client.pipe(server);
    });
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return proxy;
}
