import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, beforeEach, describe, it } from 'mocha';
import { Activity } from '../../../deploy/activity.ts';
import { AppLogs } from '../../../deploy/logs/app-log.ts';
import type { CertificateFacts } from '../../../deploy/platform/certificates.ts';
import { AppStore } from '../../../deploy/store/app-store.ts';
import { CertificateStore } from '../../../deploy/store/certificate-store.ts';
import { Database } from '../../../deploy/store/database.ts';
import { DomainStore } from '../../../deploy/store/domain-store.ts';
import { EventStore } from '../../../deploy/store/event-store.ts';
import { HttpsStore } from '../../../deploy/store/https-store.ts';
import { factsOf } from '../../../deploy/tls/certificate-facts.ts';
import { AppCertificates } from '../../../deploy/tls/certificates.ts';
import { expiryOf } from '../../../deploy/tls/expiry.ts';
import { noAutomaticCertificates } from '../../../deploy/tls/no-automatic-certificates.ts';
import { CertificateMaker, type Made } from './certificate-maker.ts';

const DAY = 86_400_000;

describe('AppCertificates', () => {
  const maker = new CertificateMaker();
  const names = ['shop.apps.example.com'];
  let folder: string;
  let database: Database;
  let events: EventStore;
  let logs: AppLogs;
  let now: number;
  let published: number;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'certificates-'));
    database = new Database(join(folder, 'paas.db'));
    events = new EventStore(database);
    logs = new AppLogs(folder);
    new AppStore(database).create('shop', 'alice');
    published = 0;
  });
  afterEach(() => {
    logs.close();
    database.close();
    rmSync(folder, { recursive: true });
  });
  after(() => maker.dispose());

  /** Each is valid by now, however long it took to make them. */
  function made(...days: number[]): Made[] {
    const issuer = maker.authority();
    const certificates = days.map((count) => maker.make({ issuer, names, days: count }));
    now = Date.now();
    return certificates;
  }

  function open(automatic = noAutomaticCertificates): AppCertificates {
    return new AppCertificates({
      apps: new AppStore(database),
      domains: new DomainStore(database),
      domain: 'apps.example.com',
      store: new CertificateStore(database),
      https: new HttpsStore(database),
      automatic,
      activity: new Activity(events, logs),
      publishRoutes: async () => void published++,
      log: () => {},
      now: () => new Date(now),
    });
  }

  it('shows another certificate at the hour at which one expires, and tells the router', async () => {
    const [own, platforms] = made(30, 90);
    const certificates = open();
    const shown = () => certificates.tls().certificates.map(({ chain }) => chain.slice(0, 200));
    await certificates.add('shop', own!.chain + own!.key, 'alice');
    await certificates.add(undefined, platforms!.chain + platforms!.key, 'alice');
    assert.deepEqual(shown(), [own!.chain.slice(0, 200)]);
    published = 0;
    for (const days of [1, 28]) {
      now += days * DAY;
      await certificates.keepTime();
    }
    assert.equal(published, 0);
    now += 2 * DAY;
    await certificates.keepTime();
    await certificates.keepTime();
    assert.equal(published, 1);
    assert.deepEqual(shown(), [platforms!.chain.slice(0, 200)]);
    // Nobody misses it.
    assert.doesNotMatch(told().join('\n'), /expired/);
  });

  const told = () =>
    events.list('shop', 100).flatMap(({ action, text }) => (action === 'certs:expire' ? text : []));

  it('tells two weeks before one expires, and when it has, once each, and how to go on', async () => {
    const [first, next] = made(60, 60);
    let certificates = open();
    await certificates.add('shop', first!.chain + first!.key, 'alice');
    const problem = () => certificates.list('shop')[0]!.problem;
    const look = async (days: number) => {
      now += days * DAY;
      await certificates.keepTime();
      await certificates.keepTime();
      certificates = open(); // as the next control does
      await certificates.keepTime();
    };
    const day = factsOf(new X509Certificate(first!.chain)).notAfter.toISOString().slice(0, 10);
    await look(45);
    assert.deepEqual([told(), problem()], [[], undefined]);
    await look(2);
    const soon = `Certificate for ${names[0]} expires on ${day}: certs:add brings a new one`;
    assert.deepEqual([told(), problem()], [[soon], 'expires soon: certs:add brings a new one']);
    await look(12);
    assert.deepEqual(told(), [soon]);
    await look(2);
    const over = `Certificate for ${names[0]} expired on ${day}, and visitors are warned of it: certs:add brings a new one`;
    assert.deepEqual([told(), problem()], [[soon, over], 'expired: certs:add brings a new one']);
    const lines = [];
    for await (const { source, dyno, text } of logs.read('shop', {}))
      if (dyno === 'certs') lines.push(`${source} ${text}`);
    assert.deepEqual(lines, [`paas ${soon}`, `paas ${over}`]);
    now -= 61 * DAY;
    await certificates.add('shop', next!.chain + next!.key, 'alice');
    await look(1);
    assert.deepEqual([told(), problem()], [[soon, over], undefined]);
  });

  it('says of an automatic one that it has expired, and why none has come in its place', async () => {
    const pair = made(60)[0]!;
    const facts = factsOf(new X509Certificate(pair.chain));
    let asked = 0;
    const nextOrder = new Date('2026-08-10T03:00:00Z');
    const certificates = open({
      ...noAutomaticCertificates,
      candidates: () => [{ kind: 'automatic', id: undefined, app: undefined, pair, facts }],
      outlook: () => ({ problem: 'the authority is away', nextOrder }),
      tellExpiry: (_candidate, tell) => asked++ || tell(),
    });
    now += 59 * DAY;
    await certificates.keepTime();
    assert.deepEqual([certificates.list('shop')[0]!.problem, told()], ['the authority is away', []]);
    now += 2 * DAY;
    await certificates.keepTime();
    await certificates.keepTime();
    assert.equal(certificates.list('shop')[0]!.problem, 'expired: the authority is away');
    const day = facts.notAfter.toISOString().slice(0, 10);
    const why = 'the authority is away; the next one is tried 2026-08-10 03:00 UTC';
    const text = `Certificate for ${names[0]} expired on ${day}, and visitors are warned of it: ${why}`;
    assert.deepEqual([told(), asked], [[text], 2]);
  });

  it('of one with a short life, tells when a third of it is left', () => {
    const facts = { notBefore: new Date(0), notAfter: new Date(6 * DAY) } as CertificateFacts;
    const at = (days: number) => expiryOf(facts, new Date(days * DAY));
    assert.deepEqual([at(3.9), at(4.1), at(6)], [undefined, 'soon', 'expired']);
  });
});
