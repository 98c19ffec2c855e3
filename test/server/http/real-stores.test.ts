import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { SshKeys } from '../../../deploy/access/keys.ts';
import { DashboardSessions } from '../../../deploy/access/sessions.ts';
import { AppLogs } from '../../../deploy/logs/app-log.ts';
import { AccessStore } from '../../../deploy/store/access-store.ts';
import { Database } from '../../../deploy/store/database.ts';
import { DashboardClient } from './dashboard-client.ts';

describe('createDashboard() on the real stores', () => {
  let folder: string;
  let client: DashboardClient;
  let database: Database;
  let logs: AppLogs;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dashboard-'));
    database = new Database(join(folder, 'paas.db'));
    logs = new AppLogs(join(folder, 'logs'));
    const store = new AccessStore(database);
    client = await DashboardClient.start();
    client.platform.addRunningApp('blog');
    Object.assign(client.platform, {
      sessions: new DashboardSessions(store),
      keys: new SshKeys(store, { record() {} }),
      logs,
    });
    client.platform.keys.add('alice', await newKey('alice'), 'alice');
    client.platform.keys.add('bob', await newKey('bob'), 'alice');
  });

  afterEach(async () => {
    await client[Symbol.asyncDispose]();
    logs.close();
    database.close();
    await rm(folder, { recursive: true });
  });

  async function newKey(name: string): Promise<string> {
    const file = join(folder, name);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `${name}@laptop`, '-f', file]);
    return readFile(`${file}.pub`, 'utf8');
  }

  function keyOf(user: string): string {
    return client.platform.keys.list().find((key) => key.user === user)!.fingerprint;
  }

  async function signIn(user: string): Promise<void> {
    const token = client.platform.sessions.createLoginToken(user, keyOf(user));
    const answer = await client.ask(`/login/${token}`, { method: 'POST' });
    client.cookie = String(answer.headers['set-cookie']).split(';')[0]!;
    client.csrf = client.platform.sessions.find(client.cookie.split('=')[1]!)!.csrf;
    assert.equal((await client.ask(`/login/${token}`, { method: 'POST' })).status, 404);
  }

  it('signs in by a link that works once', async () => {
    await signIn('bob');
    assert.match((await client.ask('/')).text, /Signed in as bob/);
  });

  it('ends the sessions and streams of a key that is removed', async () => {
    await signIn('bob');
    const streaming = client.stream('/events', () => false);
    await setTimeout(50);
    assert.equal((await client.post('/keys/remove', { fingerprint: keyOf('bob') })).status, 303);
    assert.equal((await client.ask('/')).status, 401);
    assert.equal((await streaming).status, 200);
  }).timeout(4000);

  it('keeps the last key, and says why', async () => {
    await signIn('alice');
    await client.post('/keys/remove', { fingerprint: keyOf('bob') });
    const { status, text } = await client.post('/keys/remove', { fingerprint: keyOf('alice') });
    assert.equal(status, 409);
    assert.match(text, /last key/);
  });

  it('adds a key, and shows a refused one again', async () => {
    await signIn('alice');
    assert.equal(
      (await client.post('/keys', { name: 'carol', publicKey: await newKey('carol') })).status,
      303,
    );
    assert.match((await client.ask('/keys')).text, /carol@laptop/);
    const refused = await client.post('/keys', { name: 'dave', publicKey: 'ssh-rsa nonsense' });
    assert.equal(refused.status, 422);
    assert.match(refused.text, /ssh-rsa nonsense<\/textarea>/);
  });

  it('loses and repeats no line of 2,000 over ten broken streams', async () => {
    await signIn('alice');
    let written = 0;
    const writer = setIntervalOf(() => {
      if (written < 2000) logs.append('blog', { source: 'app', dyno: 'web.1', text: `n=${++written}.` });
    });
    const seen: number[] = [];
    let id = '';
    for (let part = 1; part <= 10; part++) {
      const until = `n=${part * 200}.`;
      const headers: Record<string, string> = id ? { 'Last-Event-ID': id } : { 'Last-Event-ID': '0.0' };
      const { text } = await client.stream(
        '/apps/blog/logs/stream',
        (sofar) => sofar.includes(until),
        headers,
      );
      const whole = text.slice(0, text.lastIndexOf('\n\n'));
      seen.push(...[...whole.matchAll(/n=(\d+)\./g)].map((match) => Number(match[1])));
      id = [...whole.matchAll(/^id: (.*)$/gm)].at(-1)?.[1] ?? id;
    }
    clearInterval(writer);
    assert.deepEqual(
      seen.slice(0, 2000),
      Array.from({ length: 2000 }, (_, n) => n + 1),
    );
  }).timeout(20_000);
});

function setIntervalOf(work: () => void): NodeJS.Timeout {
  return setInterval(() => {
    for (let n = 0; n < 5; n++) work();
  }, 1);
}
