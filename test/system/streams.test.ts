import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, describe, it } from 'mocha';
import { until } from '../fixtures/until.ts';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

describe('streams of containers, for the docker client', function () {
  this.timeout(60_000);
  const engine = engineSuite([DOCKER]);
  const clients: ChildProcess[] = [];

  afterEach(() => {
    for (const client of clients.splice(0)) client.kill('SIGKILL');
  });

  const run = (...args: string[]) => engine.client('run', ...args);
  const environment = () => ({
    ...process.env,
    DOCKER_HOST: `unix://${join(engine.root, 'run', 'docker.sock')}`,
  });

  /** The docker client, left running. */
  function client(...args: string[]): ChildProcess & { said: () => string } {
    const child = spawn('docker', args, { env: environment() });
    return watched(child);
  }

  /** The docker client at a terminal that a test types at. */
  function atTerminal(...args: string[]): ChildProcess & { said: () => string } {
    return watched(
      spawn('script', ['-qfec', `docker ${args.join(' ')}`, '/dev/null'], { env: environment() }),
    );
  }

  function watched(child: ChildProcess): ChildProcess & { said: () => string } {
    clients.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (said += chunk));
    return Object.assign(child, { said: () => said });
  }

  describe('run and logs', () => {
    it('tell stdout and stderr apart in the foreground, and keep the order in the background', async () => {
      const script = 'echo out; echo err >&2; echo out again';
      const foreground = await run('--name', 'apart', BASE, 'sh', '-c', script);
      assert.deepEqual([foreground.stdout, foreground.stderr], ['out\nout again\n', 'err\n']);
      const apart = await engine.client('logs', 'apart');
      assert.deepEqual([apart.stdout, apart.stderr], ['out\nout again\n', 'err\n']);
      const half = await run('--rm', '-a', 'stdout', BASE, 'sh', '-c', script);
      assert.deepEqual([half.stdout, half.stderr], ['out\nout again\n', '']);
      await run('-d', '--name', 'together', BASE, 'sh', '-c', script);
      await engine.client('wait', 'together');
      assert.equal((await engine.client('logs', 'together')).stdout, 'out\nerr\nout again\n');
    });

    it('show a part of a log: --tail, --since, --until, --timestamps, --details', async () => {
      const script = 'echo one; sleep 1.2; echo two; sleep 1.2; echo three';
      await run('-d', '--name', 'slow', BASE, 'sh', '-c', script);
      await engine.client('wait', 'slow');
      const logs = async (...args: string[]) => (await engine.client('logs', ...args, 'slow')).stdout;
      assert.equal(await logs('--tail', '2'), 'two\nthree\n');
      assert.equal(await logs('--details'), ' one\n two\n three\n');
      const [first, second] = (await logs('-t')).split('\n').map((line) => line.split(' ')[0]!);
      assert.ok(Date.parse(second!) - Date.parse(first!) > 1000);
      assert.equal(await logs('--since', second!), 'two\nthree\n');
      assert.equal(await logs('--until', second!), 'one\ntwo\n');
      assert.equal(await logs('--since', second!, '--until', second!), 'two\n');
    });

    it('pass every byte, also what is no text', async () => {
      const script = 'i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %o $i)"; i=$((i+1)); done';
      await run('-d', '--name', 'bytes', BASE, 'sh', '-c', script);
      await engine.client('wait', 'bytes');
      const logs = spawn('docker', ['logs', 'bytes'], { env: environment() });
      const bytes = Buffer.concat(await Array.fromAsync(logs.stdout));
      assert.deepEqual(
        [...bytes.subarray(0, 256)],
        Array.from({ length: 256 }, (_, byte) => byte),
      );
    });

    it('logs -f loses nothing of 50,000 lines, over several rotations of the log', async () => {
      const pad = 'x'.repeat(500);
      // In the first half a second nobody reads yet. The app is 10,000 lines ahead at most: a log keeps 16 MB.
      const script = `sleep 0.5; i=0; while [ $i -lt 50000 ]; do i=$((i+1)); echo $i ${pad};
        [ $((i % 5000)) -ne 0 ] || [ $i -eq 5000 ] || until [ -e /read/$((i-5000)) ]; do sleep 0.01; done; done`;
      const folder = mkdtempSync(join(tmpdir(), 'read-'));
      chmodSync(folder, 0o755);
      try {
        await run('-d', '--name', 'many', '-v', `${folder}:/read`, BASE, 'sh', '-c', script);
        const follow = client('logs', '-f', 'many');
        let [count, rest, wrong] = [0, '', 0];
        follow.stdout!.on('data', (chunk) => {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop()!;
          for (const line of lines) {
            if (Number(line.split(' ', 1)[0]) !== ++count) wrong++;
            if (count % 5000 === 0) writeFileSync(join(folder, String(count)), '');
          }
        });
        await once(follow, 'close');
        assert.deepEqual([count, wrong], [50_000, 0]);
      } finally {
        await engine.client('rm', '-f', 'many');
        rmSync(folder, { recursive: true });
      }
    });

    it('lose nothing when a program opens its output anew, by its name, as if to empty it', async () => {
      const script = `i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo $i; echo $i > /dev/stdout; echo $i > /proc/self/fd/2; done
        seq 201 400 | tee /dev/stderr`;
      await run('-d', '--name', 'anew', BASE, 'sh', '-c', script);
      await engine.client('wait', 'anew');
      const lines = (await engine.output('logs', 'anew')).trim().split('\n').map(Number);
      const thrice = Array.from({ length: 600 }, (_, index) => Math.floor(index / 3) + 1);
      assert.deepEqual(lines.slice(0, 600), thrice);
      assert.equal(lines.slice(600).length, 400);
    });

    it('have all that a program had written when it is killed, whichever runtime had started it', async () => {
      const folder = mkdtempSync(join(tmpdir(), 'written-'));
      chmodSync(folder, 0o777);
      const script = 'i=0; while :; do i=$((i+1)); echo $i; printf . >> /written/$1; done';
      const written = (name: string) => statSync(join(folder, name)).size;
      try {
        for (const name of ['same', 'next']) {
          await run('-d', '--name', name, '-v', `${folder}:/written`, BASE, 'sh', '-c', script, 'sh', name);
          if (name === 'next') {
            await engine.end('SIGKILL');
            await engine.start();
          }
          const init = Number(await engine.output('inspect', '-f', '{{.State.Pid}}', name));
          process.kill(init, 'SIGSTOP');
          const before = written(name);
          await until(() => written(name) > before + 1000);
          process.kill(init, 'SIGKILL');
          await engine.output('wait', name);
          const last = Number(await engine.output('logs', '--tail', '1', name));
          assert.ok(last >= written(name), `${name}: ${last} of ${written(name)} lines`);
        }
      } finally {
        await engine.client('rm', '-f', 'same', 'next');
        rmSync(folder, { recursive: true });
      }
    });

    it('are not bounded by the size that files of the app may have', async () => {
      const script = 'trap "" XFSZ; seq 20000; seq 20000 > /tmp/file || stat -c %s /tmp/file';
      const { stdout } = await run('--ulimit', 'fsize=8192', BASE, 'sh', '-c', script);
      assert.deepEqual(stdout.trim().split('\n').slice(19_998), ['19999', '20000', '8192']);
    });

    it('a container that starts again goes on in the same log', async () => {
      await run('--name', 'twice', BASE, 'sh', '-c', 'echo line');
      await engine.client('start', 'twice');
      await engine.client('wait', 'twice');
      assert.equal((await engine.client('logs', 'twice')).stdout, 'line\nline\n');
    });
  });

  describe('attach', () => {
    it('sees a container from now on, with several clients at once; their end does not end it', async () => {
      const script = 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done';
      await run('-d', '--name', 'web', BASE, 'sh', '-c', script);
      const attached = [client('attach', '--no-stdin', 'web'), client('attach', '--no-stdin', 'web')];
      await until(() => attached.every((each) => each.said().split('\n').length > 5));
      for (const each of attached) each.kill('SIGKILL');
      assert.equal((await engine.client('inspect', '-f', '{{.State.Running}}', 'web')).stdout, 'true\n');
    });

    it('passes signals on, unless told not to', async () => {
      const script = 'trap "echo caught" HUP; while :; do echo here; sleep 0.05; done';
      await run('-d', '--name', 'web', BASE, 'sh', '-c', script);
      const deaf = client('attach', '--no-stdin', '--sig-proxy=false', 'web');
      const attached = client('attach', '--no-stdin', 'web');
      // Before that a client ends by the signal.
      for (const { said } of [deaf, attached]) await until(() => said().includes('here'));
      deaf.kill('SIGHUP');
      await once(deaf, 'close');
      attached.kill('SIGHUP');
      await until(() => attached.said().includes('caught'));
      assert.equal(attached.said().match(/caught/g)?.length, 1);
    });

    it('is left by the detach keys, and what is typed before them arrives', async () => {
      await run('-dit', '--name', 'shell', BASE, 'sh');
      for (const keys of ['', 'ctrl-a,x']) {
        const terminal = atTerminal('attach', ...(keys ? [`--detach-keys=${keys}`] : []), 'shell');
        await new Promise((resolve) => setTimeout(resolve, 300));
        terminal.stdin!.write(`echo typed-$((${keys.length} + 1))\r`);
        await until(() => terminal.said().includes(`typed-${keys.length + 1}`));
        terminal.stdin!.write(keys ? '\x01x' : '\x10\x11');
        await once(terminal, 'close');
        assert.match(terminal.said(), /read escape sequence/);
      }
      assert.equal((await engine.client('inspect', '-f', '{{.State.Running}}', 'shell')).stdout, 'true\n');
      const wrong = { stream: true, stdin: true, detachKeys: 'ctrl-1' };
      await assert.rejects(engine.docker.getContainer('shell').attach(wrong), { statusCode: 400 });
    });

    it('with logs shows what was there before', async () => {
      await run('-d', '--name', 'web', BASE, 'sh', '-c', 'echo early; sleep 1; echo late');
      const container = engine.docker.getContainer('web');
      await new Promise((resolve) => setTimeout(resolve, 300));
      const stream = await container.attach({ stream: true, logs: true, stdout: true });
      assert.match(await text(stream), /early\n[\s\S]*late\n/);
    });

    it('over a web socket passes both ways', async () => {
      const script = 'while read line; do echo "got $line"; done';
      await run('-di', '--name', 'web', BASE, 'sh', '-c', script);
      const socket = await openWebSocket(`/containers/web/attach/ws?stream=1&stdin=1&stdout=1`);
      let said = '';
      socket.on('data', (chunk) => (said += chunk));
      socket.write(maskedFrame(1, 'hello\n'));
      await until(() => said.includes('got hello\n'));
      socket.write(maskedFrame(9, 'ping'));
      await until(() => said.includes('\x8a\x04ping'));
      socket.write(maskedFrame(8, ''));
      await once(socket, 'close');
    });

    it('of a client that takes nothing stops neither the app nor its log', async () => {
      const script = 'head -c 60000000 /dev/zero | tr "\\\\0" "x" | fold -w 99; echo written; sleep 100';
      const container = await engine.docker.createContainer({ Image: BASE, Cmd: ['sh', '-c', script] });
      const stuck = await container.attach({ stream: true, stdout: true, hijack: true });
      (stuck as unknown as Socket).pause();
      await container.start();
      await until(async () => (await container.logs({ stdout: true, tail: 1 })).includes('written'));
      (stuck as unknown as Socket).destroy();
    });
  });

  describe('exec', () => {
    const sleeping = () => run('-d', '--name', 'web', BASE, 'sleep', '1000');

    it('takes environment, folder and user, and gives the exit code', async () => {
      await sleeping();
      const script = 'echo $A $(pwd) $(id -u); exit 9';
      const exec = await engine.client(
        'exec',
        '-e',
        'A=b',
        '-w',
        '/tmp',
        '-u',
        '1234',
        'web',
        'sh',
        '-c',
        script,
      );
      assert.deepEqual([exec.stdout, exec.code], ['b /tmp 1234\n', 9]);
      assert.equal((await engine.client('exec', 'web', '/nonesuch')).code, 127);
      assert.equal((await engine.client('exec', 'web', '/etc')).code, 126);
      const nowhere = await engine.client('exec', '-w', '/nonesuch', 'web', 'true');
      assert.equal(nowhere.code, 126);
      assert.match(nowhere.stdout, /enter the working folder "\/nonesuch": there is no such file or folder/);
      assert.notEqual((await engine.client('exec', '--privileged', 'web', 'true')).code, 0);
    });

    it('tells stdout and stderr apart, and ends its stdin with the client’s', async () => {
      await sleeping();
      const exec = client('exec', '-i', 'web', 'sh', '-c', 'cat; echo end; echo problem >&2');
      exec.stdin!.end('input\n');
      const [stdout, stderr] = await Promise.all([text(exec.stdout!), text(exec.stderr!)]);
      assert.deepEqual([stdout, stderr], ['input\nend\n', 'problem\n']);
    });

    it('opens its input and output by their names, whoever it runs as, and so does a container', async () => {
      const script = ['sh', '-c', 'cat /dev/stdin; echo out > /dev/stdout; echo err > /dev/stderr'];
      const root = ['-u', '0'];
      for (const [index, user] of [[], ['-u', '1234'], root].entries()) {
        const name = `named-${index}`;
        await run('-d', '--name', name, ...(user === root ? root : []), BASE, 'sleep', '1000');
        for (const args of [
          ['exec', '-i', ...user, name],
          ['run', '-i', ...user, BASE],
        ]) {
          const child = client(...args, ...script);
          child.stdin!.end('in\n');
          await once(child, 'close');
          assert.deepEqual(child.said().split('\n').sort(), ['', 'err', 'in', 'out'], args.join(' '));
        }
      }
    });

    it('goes on when its client is killed', async () => {
      await sleeping();
      const script = 'for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done; touch /tmp/done';
      const exec = client('exec', 'web', 'sh', '-c', script);
      await until(() => exec.said().includes('2'));
      exec.kill('SIGKILL');
      await until(async () => (await engine.client('exec', 'web', 'ls', '/tmp/done')).code === 0);
    });

    it('is left by the detach keys and goes on; its inspection tells the keys', async () => {
      await sleeping();
      const terminal = atTerminal('exec', '-it', '--detach-keys=ctrl-a,x', 'web', 'sh');
      await new Promise((resolve) => setTimeout(resolve, 300));
      terminal.stdin!.write('while :; do touch /tmp/still; sleep 0.05; done\r');
      await until(async () => (await engine.client('exec', 'web', 'ls', '/tmp/still')).code === 0);
      terminal.stdin!.write('\x01x');
      await once(terminal, 'close');
      await engine.client('exec', 'web', 'rm', '/tmp/still');
      await until(async () => (await engine.client('exec', 'web', 'ls', '/tmp/still')).code === 0);
      const container = engine.docker.getContainer('web');
      const exec = await container.exec({ Cmd: ['true'], Tty: true, DetachKeys: 'ctrl-b' });
      assert.equal((await exec.inspect()).DetachKeys, 'ctrl-b');
      await assert.rejects(container.exec({ Cmd: ['true'], DetachKeys: 'ctrl-' }), { statusCode: 400 });
    });
  });

  async function openWebSocket(path: string): Promise<Socket> {
    const headers = {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    };
    const upgraded = request({ socketPath: join(engine.root, 'run', 'docker.sock'), path, headers });
    upgraded.end();
    const [response, socket] = await once(upgraded, 'upgrade');
    // The example of RFC 6455, section 1.3.
    assert.equal(response.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    return socket.setEncoding('latin1');
  }
});

function maskedFrame(opcode: number, payload: string): Buffer {
  const mask = Buffer.from([1, 2, 3, 4]);
  const masked = Buffer.from(payload).map((byte, at) => byte ^ mask[at & 3]!);
  return Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | masked.length]), mask, masked]);
}
