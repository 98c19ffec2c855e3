import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, it } from 'mocha';
import { parseLogLine } from '../../../server/router/log-lines.ts';
import { formatOutcome, RouterLog } from '../../../server/router/router-log.ts';
import { eventually } from './router-fixture.ts';

const OUTCOME = {
  code: undefined,
  method: 'GET',
  target: '/a?b',
  host: 'app.localhost',
  requestId: 'id',
  forwardedFor: '1.2.3.4',
  dyno: 'web.1',
  connect: 0.6,
  service: 17.9,
  status: 200,
  bytes: 13,
  protocol: 'http',
} as const;

describe('formatOutcome()', () => {
  it('writes a line as Heroku does', () => {
    assert.equal(
      formatOutcome(OUTCOME),
      'at=info method=GET path="/a?b" host=app.localhost request_id=id fwd="1.2.3.4" dyno=web.1 connect=1ms service=18ms status=200 bytes=13 protocol=http',
    );
  });

  it('names the error and leaves out what was not reached', () => {
    const line = formatOutcome({
      ...OUTCOME,
      code: 'H14',
      dyno: undefined,
      connect: undefined,
      service: undefined,
      status: 503,
      bytes: 0,
    });
    assert.equal(
      line,
      'at=error code=H14 desc="No web dynos running" method=GET path="/a?b" host=app.localhost request_id=id fwd="1.2.3.4" dyno= connect= service= status=503 bytes=0 protocol=http',
    );
    assert.match(formatOutcome({ ...OUTCOME, code: 'H81' }), /^at=info code=H81 desc="Blank app" /);
  });

  it('keeps what a client writes inside its quotes', () => {
    const line = formatOutcome({ ...OUTCOME, target: '/"x', forwardedFor: 'a" status=1\t\x1b[31m, \xe4' });
    assert.ok(line.includes('path="/%22x"'));
    assert.ok(line.includes('fwd="a%22 status=1%09%1B[31m, %E4"'));
  });
});

describe('RouterLog', () => {
  it('keeps the last lines while nobody follows, and says how many it dropped', async () => {
    const capacity = 256 * 1024;
    const log = new RouterLog({ capacity });
    const size = 1000;
    const count = 1000;
    for (let i = 0; i < count; i++) log.write('a', String(i), 'x'.repeat(size));
    const kept = count - log.dropped;
    assert.ok(kept * size > capacity / 2 && kept * size < capacity * 1.5, `${kept} lines`);
    const [first, ...lines] = await linesOf(log, kept + 1);
    assert.deepEqual(first, { dropped: log.dropped });
    const stamps = lines.map((line) => (line as { at: number }).at);
    assert.deepEqual(
      stamps,
      Array.from({ length: kept }, (_, i) => log.dropped + i),
    );
  });

  it('sends lines on as they come, to all who follow', async () => {
    const log = new RouterLog();
    const one = linesOf(log, 2);
    const two = linesOf(log, 2);
    log.write('a', '1', 'x');
    log.write('a', '2', 'y');
    assert.deepEqual(await one, await two);
    assert.equal(log.dropped, 0);
  });

  it('keeps the lines that a follower was to get who went away', async () => {
    const log = new RouterLog();
    const gone = new PassThrough();
    log.follow(gone);
    log.write('a', '1', 'x');
    log.write('a', '2', 'y');
    gone.destroy();
    await once(gone, 'close');
    log.flush();
    assert.equal((await linesOf(log, 2)).length, 2);
  });
});

async function linesOf(log: RouterLog, count: number): Promise<unknown[]> {
  const stream = new PassThrough();
  let text = '';
  stream.on('data', (piece) => {
    text += piece;
  });
  log.follow(stream);
  await eventually(() => text.split('\n').length > count || undefined, 'lines');
  return text.split('\n').slice(0, -1).map(parseLogLine);
}
