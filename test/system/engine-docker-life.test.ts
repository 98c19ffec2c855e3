import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

const COUNTING = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done';

describe('the life of containers, with the docker client', function () {
  this.timeout(90_000);
  const engine = engineSuite([DOCKER]);

  /** Standard output of a command that must succeed. */
  const docker = async (...args: string[]) => (await engine.output(...args)).trim();

  async function refused(...args: string[]): Promise<string> {
    const { code, stderr } = await engine.client(...args);
    assert.notEqual(code, 0, `docker ${args.join(' ')} must fail`);
    return stderr;
  }

  const run = (script: string, ...options: string[]) =>
    docker('run', '-d', '--name', 'web', ...options, BASE, 'sh', '-c', script);
  const inspect = (format: string) => docker('inspect', '-f', format, 'web');
  const lines = async () => (await docker('logs', 'web')).split('\n').length;
  const waitUntil = async (condition: () => Promise<boolean>, what: string) => {
    for (let tries = 0; !(await condition()); tries++) {
      assert.ok(tries < 300, `waited for: ${what}`);
      await sleep(50);
    }
  };

  describe('docker pause', () => {
    it('stands still until docker unpause: no output, no processor time', async () => {
      await run(COUNTING);
      await waitUntil(async () => (await lines()) > 5, 'output');
      await docker('pause', 'web');
      assert.equal(
        await inspect('{{.State.Status}} {{.State.Paused}} {{.State.Running}}'),
        'paused true true',
      );
      assert.match(await docker('ps', '--format', '{{.Status}}'), /^Up .*\(Paused\)$/);
      const [before, used] = [await lines(), await cpuTime()];
      await sleep(500);
      assert.deepEqual([await lines(), await cpuTime()], [before, used]);
      await docker('unpause', 'web');
      assert.equal(await inspect('{{.State.Status}}'), 'running');
      await waitUntil(async () => (await lines()) > before, 'more output');
    });

    it('says what cannot be done to a paused container, and to one that is not', async () => {
      assert.match(await refused('pause', await docker('create', BASE, 'true')), /not running/);
      await run(COUNTING);
      assert.match(await refused('unpause', 'web'), /not paused/);
      await docker('pause', 'web');
      assert.match(await refused('pause', 'web'), /already paused/);
      assert.match(await refused('start', 'web'), /unpause/);
      assert.match(await refused('exec', 'web', 'true'), /paused/);
      assert.match(await refused('rm', 'web'), /paused/);
    });

    it('a paused container takes docker stop, with its signal; other signals wait', async () => {
      await run('trap "echo hup" HUP; trap "echo term; exit 5" TERM; while :; do sleep 0.05; done');
      await sleep(200);
      await docker('pause', 'web');
      await docker('kill', '-s', 'HUP', 'web');
      await sleep(200);
      assert.equal(await docker('logs', 'web'), '');
      await docker('stop', 'web');
      assert.equal(await inspect('{{.State.Status}} {{.State.ExitCode}}'), 'exited 5');
      assert.match(await docker('logs', 'web'), /^hup$(.|\n)*^term$/m);
    });

    it('a paused container can be killed and removed by force', async () => {
      await run('sleep 99');
      await docker('pause', 'web');
      await docker('kill', 'web');
      await waitUntil(async () => (await inspect('{{.State.Status}}')) === 'exited', 'the end');
      assert.equal(await inspect('{{.State.ExitCode}}'), '137');
      await docker('start', 'web');
      await docker('pause', 'web');
      await docker('rm', '-f', 'web');
      assert.equal(await docker('ps', '-aq'), '');
    });

    it('survives the end of the runtime', async () => {
      await run(COUNTING);
      await docker('pause', 'web');
      await engine.end('SIGKILL');
      await engine.start();
      assert.equal(await inspect('{{.State.Status}}'), 'paused');
      const before = await lines();
      await docker('unpause', 'web');
      await waitUntil(async () => (await lines()) > before, 'more output');
    });

    /** Of the container's processes, in ticks. */
    async function cpuTime(): Promise<number> {
      const pid = await inspect('{{.State.Pid}}');
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
      return Number(fields[11]) + Number(fields[12]);
    }
  });

  describe('restart policies', () => {
    it('on-failure:3 starts a failing container three times more, each time later', async () => {
      await run('exit 7', '--restart', 'on-failure:3');
      await waitUntil(async () => (await inspect('{{.State.Status}}')) === 'exited', 'the last end');
      assert.equal(await inspect('{{.RestartCount}} {{.State.ExitCode}}'), '3 7');
      const gaps = await gapsBetweenStarts();
      assert.equal(gaps.length, 3);
      assert.ok(gaps[0]! < gaps[1]! && gaps[1]! < gaps[2]!, `gaps: ${gaps}`);
    });

    it('on-failure leaves a container alone that ends well', async () => {
      await run('exit 0', '--restart', 'on-failure');
      await docker('wait', 'web');
      await sleep(500);
      assert.equal(await inspect('{{.State.Status}} {{.RestartCount}}'), 'exited 0');
    });

    it('always: docker stop ends it, also between two starts', async () => {
      await run('exit 0', '--restart', 'always');
      await waitUntil(async () => Number(await inspect('{{.RestartCount}}')) >= 3, 'three restarts');
      const listed = () => docker('ps', '--format', '{{.Status}}');
      await waitUntil(async () => /^Restarting \(0\)/.test(await listed()), 'the next gap');
      await docker('stop', 'web');
      assert.equal(await inspect('{{.State.Status}}'), 'exited');
      const count = await inspect('{{.RestartCount}}');
      await sleep(1500);
      assert.equal(await inspect('{{.State.Status}} {{.RestartCount}}'), `exited ${count}`);
    });

    it('a killed container stays so; one whose process is killed from elsewhere comes back', async () => {
      await run('sleep 99', '--restart', 'always');
      const pid = Number(await inspect('{{.State.Pid}}'));
      process.kill(pid, 'SIGKILL');
      await waitUntil(
        async () => (await inspect('{{.State.Status}} {{.RestartCount}}')) === 'running 1',
        'it back',
      );
      assert.notEqual(Number(await inspect('{{.State.Pid}}')), pid);
      await docker('kill', 'web');
      await sleep(500);
      assert.equal(await inspect('{{.State.Status}} {{.RestartCount}}'), 'exited 1');
    });

    it('goes on when the runtime was killed in a gap, or while its container ended', async () => {
      await run('exit 1', '--restart', 'always');
      await waitUntil(async () => Number(await inspect('{{.RestartCount}}')) >= 4, 'a longer gap');
      await docker('run', '-d', '--name', 'short', '--restart', 'unless-stopped', BASE, 'sleep', '0.7');
      await docker('run', '-d', '--name', 'stopped', '--restart', 'unless-stopped', BASE, 'sleep', '99');
      await docker('run', '-d', '--name', 'again', '--restart', 'always', BASE, 'sleep', '99');
      await docker('stop', '-t', '0', 'stopped', 'again');
      const count = Number(await inspect('{{.RestartCount}}'));
      await engine.end('SIGKILL');
      await sleep(1000);
      await engine.start();
      await waitUntil(async () => Number(await inspect('{{.RestartCount}}')) > count, 'one more restart');
      const of = (name: string) => docker('inspect', '-f', '{{.State.Status}}', name);
      await waitUntil(async () => (await of('short')) === 'running', 'the one that ended meanwhile');
      assert.deepEqual([await of('stopped'), await of('again')], ['exited', 'running']);
    });

    it('brings back what a power cut ended: nobody noted how', async () => {
      await docker('run', '-d', '--name', 'web', '--restart', 'on-failure', BASE, 'sleep', '99');
      await docker('run', '-d', '--name', 'plain', BASE, 'sleep', '99');
      const pids = [
        await inspect('{{.State.Pid}}'),
        await docker('inspect', '-f', '{{.State.Pid}}', 'plain'),
      ];
      await engine.end('SIGKILL');
      for (const pid of pids) process.kill(Number(pid), 'SIGKILL');
      await engine.start();
      await waitUntil(async () => (await inspect('{{.State.Status}}')) === 'running', 'it back');
      const ended = await docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'plain');
      assert.equal(ended, 'exited 137');
    });

    it('excludes docker run --rm, and a number of tries without on-failure', async () => {
      assert.match(await refused('run', '--rm', '--restart', 'always', BASE, 'true'), /restart/i);
      await assert.rejects(
        engine.docker.createContainer({
          Image: BASE,
          Cmd: ['true'],
          HostConfig: { RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } },
        }),
        { statusCode: 400 },
      );
      const restarting = { Image: BASE, Cmd: ['true'], HostConfig: { RestartPolicy: { Name: 'always' } } };
      await assert.rejects(engine.platform.createContainer(restarting), { statusCode: 403 });
    });

    /** Milliseconds from each end to the next start. */
    async function gapsBetweenStarts(): Promise<number[]> {
      const events = await docker(
        ...['events', '--since', '1h', '--until', now(), '--filter', `container=${await inspect('{{.Id}}')}`],
        ...['--filter', 'event=start', '--filter', 'event=die', '--format', '{{.Action}} {{.TimeNano}}'],
      );
      const times = events.split('\n').map((line) => line.split(' ')) as [string, string][];
      return times.flatMap(([action, time], index) => {
        const before = times[index - 1];
        return action === 'start' && before ? [(Number(time) - Number(before[1])) / 1e6] : [];
      });
    }
  });

  describe('docker restart', () => {
    it('gives the same container another process, also with --rm', async () => {
      await run('sleep 99', '--rm');
      const pid = await inspect('{{.State.Pid}}');
      await docker('restart', '-t', '0', 'web');
      assert.equal(await inspect('{{.State.Status}}'), 'running');
      assert.notEqual(await inspect('{{.State.Pid}}'), pid);
      await docker('stop', '-t', '0', 'web');
      await waitUntil(async () => (await docker('ps', '-aq')) === '', 'its removal');
    });
  });
});

/** In whole seconds, as clients count: everything up to now is in it. */
function now(): string {
  return String(Math.ceil(Date.now() / 1000));
}
