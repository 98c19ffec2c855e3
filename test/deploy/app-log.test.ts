import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { AppLogs } from '../../deploy/logs/app-log.ts';
import { formatLogLine, parseLogLine, splitText } from '../../deploy/logs/log-line.ts';
import type { LogLine, LogQuery } from '../../deploy/platform.ts';

describe('formatLogLine()', () => {
  it("writes Heroku's shape, which parseLogLine() reads back", () => {
    const line: LogLine = {
      at: new Date('2026-08-10T05:52:56.417Z'),
      source: 'app',
      dyno: 'web.1',
      text: 'hello [x]: y',
    };
    assert.equal(formatLogLine(line), '2026-08-10T05:52:56.417000+00:00 app[web.1]: hello [x]: y');
    assert.deepEqual(parseLogLine(formatLogLine(line)), line);
  });
});

describe('splitText()', () => {
  it('splits lines over 10,000 bytes without breaking a character', () => {
    const parts = splitText('é'.repeat(12_000));
    assert.ok(parts.length > 2 && parts.every((part) => Buffer.byteLength(part) <= 10_000));
    assert.equal(parts.join(''), 'é'.repeat(12_000));
  });
});

describe('AppLogs', () => {
  let folder: string;
  let logs: AppLogs;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'paas-logs-'));
    logs = new AppLogs(folder);
  });

  afterEach(() => {
    logs.close();
    rmSync(folder, { recursive: true });
  });

  const texts = async (query: LogQuery) => {
    const found: string[] = [];
    for await (const line of logs.read('shop', query)) found.push(line.text);
    return found;
  };

  it('prepare() takes the logs of apps that are no more away', () => {
    for (const app of ['kept', 'gone']) logs.append(app, { source: 'app', dyno: 'web.1', text: 'hello' });
    logs.close();
    mkdirSync(join(folder, '.builds'));
    logs.prepare((app) => app === 'kept');
    assert.deepEqual(readdirSync(folder).sort(), ['.builds', 'kept']);
  });

  it('gives the last lines that pass the filters, oldest first', async () => {
    for (let index = 1; index <= 300; index += 1) {
      logs.append('shop', { source: 'app', dyno: index % 2 ? 'web.1' : 'worker.1', text: `line ${index}` });
    }
    logs.append('shop', { source: 'paas', dyno: 'web.1', text: 'State changed' });
    assert.equal((await texts({})).length, 100);
    assert.deepEqual(await texts({ lines: 2, type: 'worker' }), ['line 298', 'line 300']);
    assert.deepEqual(await texts({ lines: 2, dyno: 'web.1' }), ['line 299', 'State changed']);
    assert.deepEqual(await texts({ source: 'paas' }), ['State changed']);
  });

  it('survives being opened again', async () => {
    logs.append('shop', { source: 'app', dyno: 'web.1', text: 'before' });
    logs.close();
    logs = new AppLogs(folder);
    assert.deepEqual(await texts({}), ['before']);
  });

  it('follows without losing or repeating a line', async () => {
    logs.append('shop', { source: 'app', dyno: 'web.1', text: 'old' });
    const abort = new AbortController();
    const seen: string[] = [];
    const reading = (async () => {
      for await (const line of logs.read('shop', { follow: true, signal: abort.signal })) {
        seen.push(line.text);
        if (seen.length === 501) abort.abort();
      }
    })();
    for (let index = 0; index < 500; index += 1) {
      logs.append('shop', { source: 'app', dyno: 'web.1', text: `new ${index}` });
      if (index % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await reading;
    assert.equal(new Set(seen).size, 501);
    assert.deepEqual(seen.slice(0, 3), ['old', 'new 0', 'new 1']);
  });

  it('ends for who follows when the app is gone, after the last line', async () => {
    const add = (text: string) => logs.append('shop', { source: 'app', dyno: 'web.1', text });
    add('first');
    const seen: string[] = [];
    const following = (async () => {
      for await (const line of logs.read('shop', { follow: true })) {
        seen.push(line.text);
        if (line.text !== 'first') continue;
        add('last');
        logs.remove('shop');
      }
    })();
    await following;
    assert.deepEqual(seen, ['first', 'last']);
  });

  it('keeps disk use bounded and the newest lines', async () => {
    const text = 'x'.repeat(9_000);
    for (let index = 0; index < 6_000; index += 1) {
      logs.append('shop', { source: 'app', dyno: 'web.1', text: `${index} ${text}` });
      if (index % 200 === 0) await new Promise((resolve) => setTimeout(resolve, 8));
    }
    const lines = await texts({ lines: 3 });
    assert.deepEqual(
      lines.map((line) => Number(line.split(' ', 1)[0])),
      [5997, 5998, 5999],
    );
    const { execFileSync } = await import('node:child_process');
    const bytes = Number(execFileSync('du', ['-sb', folder], { encoding: 'utf8' }).split('\t')[0]);
    assert.ok(bytes < 40 * 1024 ** 2, `${bytes} bytes`);
  });
});
