import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import { Activity } from '../../../deploy/activity.ts';
import { AppLogs } from '../../../deploy/logs/app-log.ts';
import { AppStore } from '../../../deploy/store/app-store.ts';
import { CertificateStore } from '../../../deploy/store/certificate-store.ts';
import { Database } from '../../../deploy/store/database.ts';
import { DomainStore } from '../../../deploy/store/domain-store.ts';
import { EventStore } from '../../../deploy/store/event-store.ts';
import { HttpsStore } from '../../../deploy/store/https-store.ts';
import { AppCertificates } from '../../../deploy/tls/certificates.ts';
import { noAutomaticCertificates } from '../../../deploy/tls/no-automatic-certificates.ts';
import { CertificateMaker } from './certificate-maker.ts';

const DAY = 86_400_000;

describe('AppCertificates', () => {
  const maker = new CertificateMaker();
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'certificates-'));
  });
  after(() => {
    maker.dispose();
    rmSync(folder, { recursive: true });
  });

  it('shows another certificate at the hour at which one expires, and tells the router', async () => {
    const database = new Database(join(folder, 'paas.db'));
    const apps = new AppStore(database);
    apps.create('shop', 'alice');
    const root = maker.authority();
    const names = ['shop.apps.example.com'];
    const [own, platforms] = [30, 90].map((days) => maker.make({ issuer: root, names, days }));
    let now = Date.now();
    let published = 0;
    const certificates = new AppCertificates({
      apps,
      domains: new DomainStore(database),
      domain: 'apps.example.com',
      store: new CertificateStore(database),
      https: new HttpsStore(database),
      automatic: noAutomaticCertificates,
      activity: new Activity(new EventStore(database), new AppLogs(folder)),
      publishRoutes: async () => void published++,
      log: () => {},
      now: () => new Date(now),
    });
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
    database.close();
  });
});
