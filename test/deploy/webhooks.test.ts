import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { Activity } from '../../deploy/activity.ts';
import { AppLogs } from '../../deploy/logs/app-log.ts';
import { AppStore } from '../../deploy/store/app-store.ts';
import { Database } from '../../deploy/store/database.ts';
import { EventStore } from '../../deploy/store/event-store.ts';
import { WebhookStore } from '../../deploy/store/webhook-store.ts';
import { AddressPolicy } from '../../deploy/webhooks/address-policy.ts';
import { AppWebhooks } from '../../deploy/webhooks/app-webhooks.ts';
import { WebhookDispatcher } from '../../deploy/webhooks/webhook-dispatcher.ts';
import { parseWebhookUrl, resolveForWebhook } from '../../deploy/webhooks/webhook-request.ts';
import { until } from '../fixtures/until.ts';

interface Received {
  headers: Record<string, unknown>;
  body: string;
}

describe('AppWebhooks', () => {
  let folder: string;
  let database: Database;
  let activity: Activity;
  let logs: AppLogs;
  let store: WebhookStore;
  let dispatcher: WebhookDispatcher;
  let webhooks: AppWebhooks;
  let server: Server;
  let received: Received[];
  let answers: number[];
  let url: string;

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'paas-webhooks-'));
    [received, answers] = [[], []];
    server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        received.push({ headers: request.headers, body });
        response.writeHead(answers.shift() ?? 204, { location: '/elsewhere' }).end();
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?x=1`;
    open(['127.0.0.0/8']);
    new AppStore(database).create('shop', 'alice');
  });

  afterEach(async () => {
    close();
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });

  const open = (networks: string[], pauses = [50, 50]) => {
    database = new Database(join(folder, 'paas.db'));
    logs = new AppLogs(join(folder, 'logs'));
    activity = new Activity(new EventStore(database), logs);
    store = new WebhookStore(database);
    const policy = new AddressPolicy(networks);
    dispatcher = new WebhookDispatcher({ store, policy, log: () => {}, pauses });
    webhooks = new AppWebhooks({ apps: new AppStore(database), store, activity, policy, dispatcher });
  };
  const close = () => {
    dispatcher.close();
    logs.close();
    database.close();
  };
  const add = (secret?: string) => webhooks.add('shop', { url, secret, user: 'alice' });
  const happen = (text: string) => activity.note({ app: 'shop', user: 'bob', action: 'ps:scale', text });
  const states = () => webhooks.deliveries('shop').map(({ state }) => state);

  it('sends each event, signed over time and body, in order', async () => {
    const { id, secret } = await add('correct horse');
    assert.equal(secret, 'correct horse');
    for (const text of ['one', 'two', 'three']) happen(text);
    activity.record({ app: 'other', user: 'bob', action: 'deploy', text: 'not for us' });
    await until(() => received.length === 4); // that it was added is the first
    assert.deepEqual(
      received.map(({ body }) => JSON.parse(body).text.replace(/ to .*/, '')),
      [`Webhook ${id}`, 'one', 'two', 'three'],
    );
    for (const { headers, body } of received) {
      const hmac = createHmac('sha256', 'correct horse');
      const signature = hmac.update(`${headers['paas-webhook-timestamp']}.${body}`).digest('hex');
      assert.equal(headers['paas-webhook-signature'], `v1=${signature}`);
      assert.ok(Math.abs(Number(headers['paas-webhook-timestamp']) - Date.now() / 1000) < 5);
    }
    const { user, app, action } = JSON.parse(received[1]!.body);
    assert.deepEqual({ user, app, action }, { user: 'bob', app: 'shop', action: 'ps:scale' });
    await until(() => states().every((state) => state === 'delivered'));
    assert.ok(
      !JSON.stringify([webhooks.list('shop'), webhooks.deliveries('shop')]).includes('correct horse'),
    );
  });

  it('sends once what it cannot note, and lives on', async () => {
    await add();
    await until(() => states().every((state) => state === 'delivered'));
    store.note = () => {
      throw new Error('database or disk is full');
    };
    // That would end control.
    const unhandled: unknown[] = [];
    const listen = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', listen);
    happen('one');
    await until(() => received.length === 2);
    await sleep(400);
    process.off('unhandledRejection', listen);
    assert.deepEqual([received.length, unhandled], [2, []]);
  });

  it('tries again what fails, with pauses, and gives up after the last; a redirection is a failure', async () => {
    answers = [204, 500, 302, 204, 503, 503, 503];
    await add();
    happen('one');
    await until(() => received.length === 4);
    assert.equal(
      received[1]!.headers['paas-webhook-delivery'],
      received[3]!.headers['paas-webhook-delivery'],
    );
    happen('two');
    await until(() => states()[0] === 'failed');
    const [failed] = webhooks.deliveries('shop');
    assert.deepEqual([failed!.attempts, failed!.status, failed!.reason], [3, 503, 'status 503']);
    const redelivered = webhooks.redeliver('shop', failed!.id, 'alice');
    assert.equal(redelivered.state, 'pending');
    await until(() => states().every((state) => state === 'delivered'));
    assert.throws(() => webhooks.redeliver('shop', 999, 'alice'), { code: 'not_found' });
  });

  it('forgets nothing that waits when it is stopped', async () => {
    answers = [204, 500];
    await add();
    await until(() => received.length === 1);
    happen('one');
    await until(() => received.length === 2);
    close();
    open(['127.0.0.0/8']);
    dispatcher.wake();
    await until(() => received.length === 3);
    assert.match(received[2]!.body, /"one"/);
  });

  it('keeps a bounded queue and a bounded history', async () => {
    close();
    open(['127.0.0.0/8'], [60_000]);
    answers = Array(10).fill(500);
    const { id } = await add();
    for (let event = 0; event < 1100; event += 1)
      activity.record({ app: 'shop', user: 'bob', action: 'ps:scale', text: 'x' });
    assert.equal(store.pending(id), 1000);
    for (let delivery = 1; delivery <= 1000; delivery += 1)
      store.note(delivery, { state: 'failed', nextAt: undefined, status: 500, reason: 'status 500' });
    store.forget(id, 200);
    assert.equal(database.get('SELECT count(*) AS n FROM webhook_deliveries')!.n, 200);
  });

  it('refuses loopback, private and metadata addresses, when it is added and at every request', async () => {
    close();
    open([]);
    await assert.rejects(add(), { code: 'invalid', message: /127\.0\.0\.1, which webhooks may not reach/ });
    store.add({ app: 'shop', url, secret: 'x', user: 'alice' }); // allowed once, or its name leads elsewhere now
    happen('one');
    await until(() => webhooks.deliveries('shop')[0]?.attempts === 1);
    assert.match(webhooks.deliveries('shop')[0]!.reason!, /which webhooks may not reach/);
    assert.equal(received.length, 0);
  });

  it('refuses short secrets, unknown webhooks and apps', async () => {
    await assert.rejects(add('short'), { code: 'invalid' });
    await assert.rejects(webhooks.add('nobody', { url, secret: undefined, user: 'a' }), {
      code: 'not_found',
    });
    assert.throws(() => webhooks.remove('shop', 99, 'alice'), { code: 'not_found' });
    const { id } = await add();
    webhooks.remove('shop', id, 'alice');
    assert.deepEqual(webhooks.list('shop'), []);
  });
});

describe('AddressPolicy', () => {
  const policy = new AddressPolicy([]);

  for (const address of [
    '127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 100.100.100.200',
    '169.254.169.254 168.63.129.16 192.0.0.192 198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255',
    ':: ::1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::7f00:1 64:ff9b::7f00:1 64:ff9b:1::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1',
    '2001:db8::1 2002:7f00:1:: 2001:0:1::1 localhost 1.2.3',
  ].flatMap((line) => line.split(' '))) {
    it(`allows() refuses ${address}`, () => assert.equal(policy.allows(address), false));
  }

  it("allows() takes public addresses, and refuses the machine's own", () => {
    for (const address of ['8.8.8.8', '172.32.0.1', '100.63.255.255', '2606:4700::1111'])
      assert.equal(policy.allows(address), true, address);
    for (const own of Object.values(networkInterfaces()).flat())
      assert.equal(policy.allows(own!.address), false);
  });

  it('allows() takes what the operator allows', () => {
    const open = new AddressPolicy(['10.1.0.0/16', 'fd00::/8']);
    assert.deepEqual(
      ['10.1.2.3', '10.2.0.1', 'fd00::5'].map((address) => open.allows(address)),
      [true, false, true],
    );
    for (const text of ['10.1.0.0', '10.1.0.0/33', 'here/8'])
      assert.throws(() => new AddressPolicy([text]), { code: 'invalid' });
  });

  for (const host of ['localhost', '[::1]', '127.1', '0x7f.1', '2130706433', '[::ffff:169.254.169.254]']) {
    it(`resolveForWebhook() sees through ${host}`, async () => {
      const url = parseWebhookUrl(`http://${host}/`);
      await assert.rejects(resolveForWebhook(url, policy), { message: /may not reach/ });
    });
  }

  it('parseWebhookUrl() refuses other protocols and passwords', () => {
    for (const text of [
      'ftp://example.com',
      'file:///etc/passwd',
      'example.com',
      'http://a:b@example.com/',
      '',
    ])
      assert.throws(() => parseWebhookUrl(text), { code: 'invalid' });
  });
});
