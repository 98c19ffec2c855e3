import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

describe('health checks, with the docker client', function () {
  this.timeout(90_000);
  const engine = engineSuite([DOCKER]);

  const docker = async (...args: string[]) => (await engine.output(...args)).trim();

  const run = (test: string, script = 'sleep 99', ...options: string[]) =>
    docker(
      ...['run', '-d', '--name', 'web', '--health-cmd', test, '--health-interval', '100ms'],
      ...['--health-retries', '2', ...options, BASE, 'sh', '-c', script],
    );
  const inspect = (format: string) => docker('inspect', '-f', format, 'web');
  const status = () => inspect('{{.State.Health.Status}}');
  async function until(wanted: string, actual: () => Promise<string> = status): Promise<void> {
    for (let tries = 0; (await actual()) !== wanted; tries++) {
      assert.ok(tries < 200, `waited for "${wanted}", was "${await actual()}"`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  it('a container goes from starting to healthy, to unhealthy and back, and says so', async () => {
    await run(
      'test -e /tmp/well && echo well',
      'sleep 99',
      '--health-start-period',
      '99s',
      '--health-start-interval',
      '100ms',
    );
    assert.match(await docker('ps', '--format', '{{.Status}}'), /\(health: starting\)$/);
    await docker('exec', 'web', 'touch', '/tmp/well');
    await until('healthy');
    assert.match(await docker('ps', '--format', '{{.Status}}'), /\(healthy\)$/);
    assert.equal(await docker('ps', '-q', '--filter', 'health=unhealthy'), '');
    await docker('exec', 'web', 'rm', '/tmp/well');
    await until('unhealthy');
    await docker('exec', 'web', 'touch', '/tmp/well');
    await until('healthy');
    const events = await docker(
      ...['events', '--since', '1h', '--until', now(), '--filter', `container=${await inspect('{{.Id}}')}`],
      ...['--filter', 'event=health_status', '--format', '{{.Action}}'],
    );
    const all = ['healthy', 'unhealthy', 'healthy'].map((word) => `health_status: ${word}`);
    assert.deepEqual(events.split('\n'), all);
    const log = JSON.parse(await inspect('{{json .State.Health.Log}}'));
    assert.ok(log.length <= 5);
    assert.deepEqual([log.at(-1).ExitCode, log.at(-1).Output], [0, 'well\n']);
  });

  it('failures do not count while it starts', async () => {
    await run('exit 1', 'sleep 99', '--health-start-period', '60s', '--health-start-interval', '50ms');
    await until('5', () => inspect('{{len .State.Health.Log}}'));
    assert.equal(await inspect('{{.State.Health.Status}} {{.State.Health.FailingStreak}}'), 'starting 0');
  });

  it('a probe that hangs is killed with all that it started, and never more than one runs', async () => {
    await run('(sleep 77; echo late) & sleep 77', 'sleep 99', '--health-timeout', '200ms');
    await until('unhealthy');
    const log = JSON.parse(await inspect('{{json .State.Health.Log}}'));
    assert.deepEqual(
      log.map(({ ExitCode }: { ExitCode: number }) => ExitCode),
      log.map(() => -1),
    );
    assert.match(log[0].Output, /timeout/);
    const sleeping = async () =>
      (await docker('top', 'web', '-o', 'args')).match(/^sleep 77$/gm)?.length ?? 0;
    for (let look = 0; look < 10; look++) assert.ok((await sleeping()) <= 2);
  });

  it('keeps no more than the begin of what a probe writes', async () => {
    await run('head -c 50m /dev/zero | tr "\\0" x');
    await until('healthy');
    const log = JSON.parse(await inspect('{{json .State.Health.Log}}'));
    assert.equal(log[0].Output, 'x'.repeat(4096));
  });

  it('rests while the container is paused, and ends with it', async () => {
    await run('echo probed >> /tmp/probes; true');
    await until('healthy');
    await docker('pause', 'web');
    assert.equal(await status(), 'healthy');
    await docker('unpause', 'web');
    const probes = async () => Number(await docker('exec', 'web', 'sh', '-c', 'wc -l < /tmp/probes'));
    const before = await probes();
    await until('true', async () => String((await probes()) > before + 1));
    await docker('stop', '-t', '0', 'web');
    assert.equal(await status(), 'unhealthy');
  });

  it('goes on after the runtime was killed, from what was known', async () => {
    await run('test -e /tmp/well');
    await docker('exec', 'web', 'touch', '/tmp/well');
    await until('healthy');
    await engine.end('SIGKILL');
    await engine.start();
    assert.equal(await status(), 'healthy');
    await docker('exec', 'web', 'rm', '/tmp/well');
    await until('unhealthy');
  });

  it('an image keeps its health check, which docker run can switch off', async () => {
    await docker('run', '--name', 'step', '--health-cmd', 'true', '--health-interval', '100ms', BASE, 'true');
    await docker('commit', 'step', 'test/health:v1');
    await docker('run', '-d', '--name', 'web', 'test/health:v1', 'sleep', '99');
    await until('healthy');
    await docker('run', '-d', '--name', 'off', '--no-healthcheck', 'test/health:v1', 'sleep', '99');
    assert.equal(await docker('inspect', '-f', '{{json .State.Health}}', 'off'), 'null');
    await docker('rm', '-f', 'step', 'web', 'off');
    await docker('rmi', 'test/health:v1');
  });
});

/** In whole seconds, as clients count: everything up to now is in it. */
function now(): string {
  return String(Math.ceil(Date.now() / 1000));
}
