import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import { after, afterEach, before, beforeEach, describe, it } from 'mocha';
import { PaasError } from '../../../../deploy/model/paas-error.ts';
import { AcmeStore } from '../../../../deploy/store/acme-store.ts';
import { Database } from '../../../../deploy/store/database.ts';
import { AcmeCertificates } from '../../../../deploy/tls/acme/acme-certificates.ts';
import type { ChallengeType } from '../../../../deploy/tls/acme/obtain.ts';
import { AcmeServer } from '../../../fixtures/acme-server.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

describe('AcmeCertificates', function () {
  this.timeout(20_000);
  let authority: AcmeServer;
  let http: Server;
  let https: TlsServer;
  let folder: string;
  let database: Database;
  let store: AcmeStore;
  let acme: AcmeCertificates;
  let wanted: string[];
  let known: (host: string) => boolean;
  let notes: string[];
  let published: string[];
  /** What the router refuses. */
  let refused: string | undefined;
  let now: number;
  /** The router answers to challenges. */
  let isReached: boolean;
  let challenges: [ChallengeType, ...ChallengeType[]];

  before(async () => {
    authority = await AcmeServer.start();
    // What the router does, in a few lines.
    http = createServer(({ url, headers }, response) => {
      const found = acme
        .challenges()
        .find(({ token, host }) => url!.endsWith(`/${token}`) && host === headers.host);
      response.end(isReached && found ? found.answer : 'nothing here');
    });
    https = createTlsServer({
      ALPNProtocols: ['acme-tls/1'],
      SNICallback: (name, done) => {
        const found = acme.challenges().find(({ host }) => host === name)?.certificate;
        if (found) done(null, createSecureContext({ cert: found.chain, key: found.key }));
        else done(new Error('unknown'));
      },
    });
    https.on('tlsClientError', () => {});
    await Promise.all(
      [http, https].map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))),
    );
    authority.ports = { http: portOf(http), https: portOf(https) };
  });
  after(async () => {
    http.close();
    https.close();
    await authority.dispose();
  });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'acme-'));
    wanted = ['www.example.com'];
    known = () => true;
    notes = [];
    published = [];
    refused = undefined;
    now = Date.now();
    isReached = true;
    challenges = ['http-01', 'tls-alpn-01'];
    authority.ordered.length = 0;
    authority.validated.length = 0;
    open();
  });
  afterEach(async () => {
    await acme.close();
    database.close();
    rmSync(folder, { recursive: true });
    Object.assign(authority.faults, {
      badNonces: 0,
      rateLimited: undefined,
      refuseChallenges: false,
      neverFinish: false,
      wrongHost: false,
      forgetAccounts: false,
      oddTokens: false,
    });
  });

  function open(): void {
    database = new Database(join(folder, 'paas.db'));
    store = new AcmeStore(database);
    acme = new AcmeCertificates({
      store,
      directory: authority.directory,
      email: 'ops@example.com',
      wanted: () => wanted,
      whyNot: (host) => (host.startsWith('*') ? 'a wildcard' : undefined),
      resolves: async (host) => known(host),
      publish: async (changed) => {
        published.push(`${changed} ${acme.challenges().length}`);
        if (changed === refused) throw new Error('the router refuses');
      },
      note: (_host, text) => notes.push(text),
      challenges,
      now: () => new Date(now),
    });
  }

  async function restart(): Promise<void> {
    await acme.close();
    database.close();
    open();
  }

  async function sweep(): Promise<void> {
    acme.sweep();
    await acme.settled();
  }

  it('orders, proves by HTTP, and publishes a certificate, once', async () => {
    await sweep();
    assert.deepEqual(authority.validated, ['http-01 www.example.com']);
    assert.deepEqual(published, ['challenges 1', 'challenges 0', 'certificates 0']);
    const [candidate] = acme.candidates();
    assert.deepEqual([candidate!.kind, candidate!.facts.hosts], ['automatic', ['www.example.com']]);
    createSecureContext({ cert: candidate!.pair.chain, key: candidate!.pair.key });
    assert.match(
      notes.join(),
      /^Certificate for www.example.com issued by Test root \(Test\), valid until 20\d\d-\d\d-\d\d$/,
    );
    for (let i = 0; i < 5; i += 1) await sweep();
    await restart();
    await sweep();
    assert.deepEqual(authority.ordered, ['www.example.com']);
    assert.equal(acme.candidates()[0]!.pair.chain, candidate!.pair.chain);
  });

  it('has one account, also over restarts, and a new one where the authority lost it', async () => {
    const made = authority.accountsMade;
    await sweep();
    await restart();
    wanted = ['www.example.com', 'a.example.com'];
    await sweep();
    assert.equal(authority.accountsMade, made + 1);
    wanted.push('b.example.com');
    authority.faults.forgetAccounts = true;
    await sweep();
    assert.equal(acme.candidates().length, 3, notes.join('\n'));
    assert.equal(authority.accountsMade, made + 2);
  });

  it('renews when a third of the life is left, with some spread, and keeps the old one when that fails', async () => {
    wanted = Array.from({ length: 8 }, (_, i) => `host${i}.example.com`);
    for (let i = 0; i < 4; i += 1) await sweep();
    assert.equal(acme.candidates().length, 8, notes.join('\n'));
    const dates = wanted.map((host) => acme.outlook(host).nextOrder!.getTime());
    const first = acme.candidates().map(({ pair }) => pair.chain);
    for (const date of dates) assert.ok(date >= now + 55 * DAY && date <= now + 60.1 * DAY);
    assert.equal(new Set(dates).size, 8);
    now += 55 * DAY - MINUTE;
    await sweep();
    assert.equal(authority.ordered.length, 8);

    now += 5.1 * DAY;
    authority.days = 400; // it knows nothing of our clock
    authority.faults.refuseChallenges = true;
    await sweep();
    assert.equal(authority.ordered.length, 12);
    assert.deepEqual(
      acme.candidates().map(({ pair }) => pair.chain),
      first,
    );
    authority.faults.refuseChallenges = false;
    for (let i = 0; i < 4; i += 1) {
      now += 20 * MINUTE;
      await sweep();
    }
    assert.equal(authority.ordered.length, 20);
    authority.days = 90;
    for (const { pair } of acme.candidates()) assert.ok(!first.includes(pair.chain));
  });

  it('waits longer and longer after failures, by the other challenge in turn, and over restarts', async () => {
    isReached = false;
    challenges = ['http-01'];
    await restart();
    const waits: number[] = [];
    for (let i = 0; i < 12; i += 1) {
      await sweep();
      await restart();
      const { nextOrder, problem } = acme.outlook('www.example.com');
      assert.match(problem!, /does not accept the http-01 .* unauthorized: the host says "nothing here"/);
      waits.push((nextOrder!.getTime() - now) / MINUTE);
      now = nextOrder!.getTime() - 1;
      await sweep();
      assert.equal(authority.ordered.length, i + 1, 'not before its time');
      now += 1;
    }
    assert.ok(
      waits.every((wait, i) => wait >= Math.min(10 * 2 ** i, 1440) && wait <= Math.min(12.6 * 2 ** i, 1801)),
      String(waits),
    );
    challenges = ['http-01', 'tls-alpn-01'];
    isReached = true;
    await restart();
    await sweep();
    assert.equal(acme.candidates().length, 1);
    assert.equal(acme.outlook('www.example.com').problem, undefined);
  });

  it('proves by TLS where HTTP does not come through', async () => {
    isReached = false;
    await sweep();
    now += 20 * MINUTE;
    await sweep();
    assert.deepEqual(authority.validated, ['tls-alpn-01 www.example.com'], notes.join('\n'));
    assert.equal(acme.candidates().length, 1);
    now += 61 * DAY;
    await sweep();
    assert.equal(authority.validated.length, 2, 'begins with what worked');
  });

  it('has the end of a certificate told once, also over restarts and failures, and that of the next one', async () => {
    let told = 0;
    const tell = () => acme.tellExpiry(acme.candidates()[0]!, () => told++);
    await sweep();
    tell();
    authority.faults.refuseChallenges = true;
    now += 91 * DAY;
    await sweep();
    await restart();
    tell();
    assert.equal(told, 1);
    authority.faults.refuseChallenges = false;
    authority.days = 80; // it knows nothing of our clock
    now += DAY;
    await sweep();
    tell();
    assert.equal(told, 2, notes.join('\n'));
    authority.days = 90;
  });

  it('asks again where a nonce is too old', async () => {
    authority.faults.badNonces = 7;
    await sweep();
    assert.equal(acme.candidates().length, 1, notes.join('\n'));
  });

  it('keeps to Retry-After, and asks for nothing else meanwhile', async () => {
    authority.faults.rateLimited = { retryAfter: '7200' };
    wanted = ['a.example.com'];
    await sweep();
    const { nextOrder, problem } = acme.outlook('a.example.com');
    assert.match(problem!, /^rateLimited: too many certificates already issued$/);
    assert.ok(nextOrder!.getTime() >= now + 7_199_000);
    wanted.push('b.example.com');
    const { requests } = authority;
    for (let i = 0; i < 59; i += 1) {
      now += MINUTE;
      await sweep();
    }
    assert.equal(authority.requests, requests);
    authority.faults.rateLimited = undefined;
    now += 62 * MINUTE;
    await sweep();
    assert.equal(acme.candidates().length, 2, notes.join('\n'));
  });

  it('goes on with an order that was begun, and orders nothing twice', async () => {
    authority.faults.neverFinish = true;
    acme.sweep();
    while (!authority.validated.length) await new Promise((resolve) => setTimeout(resolve, 20));
    await restart();
    authority.faults.neverFinish = false;
    isReached = false; // it is proven already
    await sweep();
    assert.deepEqual(authority.ordered, ['www.example.com']);
    assert.equal(acme.candidates().length, 1, notes.join('\n'));
  });

  it('comes back when the authority was away, and does not flood it', async () => {
    const { port } = authority;
    await authority.close();
    wanted = Array.from({ length: 20 }, (_, i) => `host${i}.example.com`);
    await sweep();
    await sweep();
    assert.equal(notes.length, 4);
    assert.match(notes[0]!, /127.0.0.1:\d+ cannot be reached: ECONNREFUSED/);
    await authority.listen(port);
    for (let i = 0; acme.candidates().length < 20 && i < 20; i += 1) {
      now += 2 * MINUTE;
      await sweep();
    }
    assert.equal(acme.candidates().length, 20);
    assert.equal(authority.ordered.length, 20);
  });

  it('orders nothing for a name that DNS does not know, or that can have none', async () => {
    known = () => false;
    wanted = ['www.example.com'];
    await sweep();
    assert.match(acme.outlook('www.example.com').problem!, /DNS does not know/);
    assert.deepEqual(acme.outlook('*.example.com'), { problem: 'a wildcard', nextOrder: undefined });
    assert.deepEqual(authority.ordered, []);
    known = () => true;
    now += 2 * MINUTE;
    await sweep();
    assert.equal(acme.candidates().length, 1);
  });

  it('takes no certificate for another host', async () => {
    authority.faults.wrongHost = true;
    await sweep();
    assert.equal(acme.candidates().length, 0);
    assert.match(notes.join(), /is of no use: it is for other.test/);
  });

  it('keeps a certificate that came while the router refused its table, and no challenge that it refused', async () => {
    refused = 'certificates';
    await sweep();
    assert.equal(acme.candidates().length, 1);
    assert.equal(acme.outlook('www.example.com').problem, undefined);
    refused = 'challenges';
    wanted = ['a.example.com'];
    await sweep();
    assert.match(acme.outlook('a.example.com').problem!, /the router refuses/);
    assert.deepEqual(acme.challenges(), []);
  });

  it('orders nothing again and again when the disk is full', async () => {
    store.save = () => {
      throw new Error('database or disk is full');
    };
    for (let i = 0; i < 5; i += 1) {
      await sweep();
      now += MINUTE;
    }
    assert.equal(authority.ordered.length, 1);
    await restart();
    now += 60 * MINUTE;
    await sweep();
    assert.equal(acme.candidates().length, 1);
  });

  it('shows the router no token that is none', async () => {
    authority.faults.oddTokens = true;
    await sweep();
    assert.match(acme.outlook('www.example.com').problem!, /offers no http-01/);
    assert.deepEqual(published, []);
  });

  it('is not held up by what a clock wrote that was years ahead', async () => {
    authority.faults.refuseChallenges = true;
    now += 3000 * DAY;
    for (let i = 0; i < 4; i += 1) {
      await sweep();
      now = acme.outlook('www.example.com').nextOrder!.getTime();
    }
    assert.equal(authority.ordered.length, 4);
    authority.faults.refuseChallenges = false;
    now = Date.now();
    await sweep();
    assert.equal(acme.candidates().length, 1, notes.join('\n'));
  });

  it('renew() orders at once, but not more than a name may have', async () => {
    authority.faults.refuseChallenges = true;
    const refused = (message: RegExp, code: string) => (error: unknown) =>
      error instanceof PaasError && error.code === code && message.test(error.message);
    for (let i = 0; i < 4; i += 1)
      await assert.rejects(
        acme.renew('www.example.com', { force: false }),
        refused(/I do not like it/, 'unavailable'),
      );
    await assert.rejects(
      acme.renew('www.example.com', { force: true }),
      refused(/limit orders .* next one from/, 'conflict'),
    );
    now += 61 * MINUTE;
    authority.faults.refuseChallenges = false;
    await acme.renew('www.example.com', { force: false });
    await assert.rejects(
      acme.renew('www.example.com', { force: false }),
      refused(/has one until/, 'conflict'),
    );
    await assert.rejects(
      acme.renew('www.example.com', { force: true }),
      refused(/next one from/, 'conflict'),
    );
    await assert.rejects(acme.renew('*.example.com', { force: true }), refused(/a wildcard/, 'conflict'));
    now += 2 * DAY;
    await acme.renew('www.example.com', { force: true });
    assert.equal(authority.ordered.length, 6);
  });

  it('remembers a host that comes back', async () => {
    await sweep();
    wanted = [];
    await sweep();
    wanted = ['www.example.com'];
    await restart();
    await sweep();
    assert.deepEqual(authority.ordered, ['www.example.com']);
    wanted = [];
    now += 91 * DAY;
    await sweep();
    assert.equal(acme.candidates().length, 0, 'but not for ever');
  });
});

function portOf(server: Server | TlsServer): number {
  return (server.address() as AddressInfo).port;
}
