import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'mocha';
import { BASE } from './engine-process.ts';
import { DOCKER, engineSuite } from './engine-suite.ts';

/** Takes 20 MB (40 for a moment) each time when something comes through stdin, and says so. */
const ALLOCATE =
  'my @all; $| = 1; while (<STDIN>) { push @all, "x" x (20 << 20); print "has ", scalar @all, "\\n" }';

/** Connects to itself so many thousand times, at an address, and accepts nothing. */
const UNACCEPTED =
  'use Socket qw(:all); $| = 1; ($thousands, $host) = @ARGV; $family = $host =~ /:/ ? AF_INET6 : AF_INET; $any = $family == AF_INET6 ? pack_sockaddr_in6(0, inet_pton($family, $host)) : pack_sockaddr_in(0, inet_pton($family, $host)); for (1..$thousands) { socket(my $l, $family, SOCK_STREAM, 0); bind($l, $any); listen($l, 1000); push @kept, $l; for (1..1000) { socket(my $s, $family, SOCK_STREAM, 0); connect($s, getsockname($l)) } } print "done\\n"; sleep 99';

describe('limits of containers, with the docker client', function () {
  this.timeout(90_000);
  const engine = engineSuite([DOCKER]);

  /** Standard output of a command that must succeed. */
  const docker = async (...args: string[]) => (await engine.output(...args)).trim();

  const inspect = (format: string) => docker('inspect', '-f', format, 'web');
  const sh = (script: string, ...options: string[]) =>
    engine.client('run', '--rm', ...options, BASE, 'sh', '-c', `exec 2>&1; ${script}`);

  describe('docker update', () => {
    async function startAllocating(memory: string) {
      const container = await engine.docker.createContainer({
        name: 'web',
        Image: BASE,
        Cmd: ['perl', '-e', ALLOCATE],
        OpenStdin: true,
        Tty: true,
      });
      await container.update({ Memory: Number(memory), MemorySwap: Number(memory) });
      const stream = await container.attach({ stream: true, stdin: true, stdout: true, hijack: true });
      await container.start();
      return { container, allocate: () => stream.write('\n') };
    }

    async function until(text: string): Promise<void> {
      for (let tries = 0; !(await docker('logs', 'web')).includes(text); tries++) {
        assert.ok(tries < 200, `waited for "${text}"`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }

    it('lets a running container have more memory', async () => {
      const { allocate } = await startAllocating(String(50 << 20));
      allocate();
      await until('has 1');
      await docker('update', '--memory', '300m', '--memory-swap', '300m', 'web');
      allocate();
      await until('has 2');
      assert.equal(await inspect('{{.HostConfig.Memory}}'), String(300 << 20));
      assert.equal(await inspect('{{.State.Status}}'), 'running');
    });

    it('without that it is killed, and says so', async () => {
      const { container, allocate } = await startAllocating(String(50 << 20));
      allocate();
      await until('has 1');
      allocate();
      assert.deepEqual(await container.wait(), { StatusCode: 137 });
      assert.equal(await inspect('{{.State.OOMKilled}} {{.State.ExitCode}}'), 'true 137');
    });

    it('refuses less memory than is used, and leaves everything as it was', async () => {
      const { allocate } = await startAllocating(String(300 << 20));
      allocate();
      await until('has 1');
      const less = await engine.client(
        ...['update', '--memory', '20m', '--memory-swap', '20m', '--pids-limit', '7', 'web'],
      );
      assert.notEqual(less.code, 0);
      assert.match(less.stderr, /more memory|bytes of memory/);
      assert.equal(await inspect('{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}}'), `${300 << 20} 512`);
      allocate();
      await until('has 2');
    });

    it('changes the number of processes, and the restart policy', async () => {
      await docker('run', '-d', '--name', 'web', BASE, 'sleep', '99');
      const many = ['exec', 'web', 'sh', '-c', 'for i in $(seq 20); do sleep 1 & done; echo all'];
      assert.match((await engine.client(...many)).stdout, /all/);
      await new Promise((resolve) => setTimeout(resolve, 1200));
      await docker('update', '--pids-limit', '10', '--restart', 'on-failure:2', 'web');
      assert.doesNotMatch((await engine.client(...many)).stdout, /all/);
      assert.equal(await inspect('{{.HostConfig.RestartPolicy.Name}}'), 'on-failure');
    });

    it('puts a running container on one core', async () => {
      await docker('run', '-d', '--name', 'web', BASE, 'sh', '-c', 'while :; do sleep 0.1; done');
      await docker('update', '--cpuset-cpus', '0', 'web');
      const allowed = 'for f in /proc/[0-9]*/status; do grep Cpus_allowed_list $f; done | sort -u';
      assert.match(await docker('exec', 'web', 'sh', '-c', allowed), /^Cpus_allowed_list:\t0$/);
    });
  });

  it('a container that accepts none of many thousand connections is killed, as one that has no memory left', async () => {
    const start = (name: string, ...what: string[]) =>
      docker('run', '-d', '--name', name, '-m', '256m', BASE, 'perl', '-e', UNACCEPTED, ...what);
    const names = ['web', 'six', 'other'];
    await start('other', '8', '127.0.0.1');
    for (let tries = 0; (await docker('logs', 'other')) !== 'done'; tries++) {
      assert.ok(tries < 400);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await Promise.all([start('web', '25', '127.0.0.1'), start('six', '25', '::1')]);
    assert.equal(await docker('wait', 'web', 'six'), '137\n137');
    assert.equal(await inspect('{{.State.OOMKilled}}'), 'true');
    // Those connections were enough for all to be looked at.
    const states = await docker('inspect', '-f', '{{.State.Status}}', ...names);
    assert.equal(states, 'exited\nexited\nrunning');
    await docker('rm', '-f', ...names);
  });

  it('leaves no control group of memory behind that the kernel keeps for what it saw of the disk', async () => {
    const charged: number[] = [];
    // What is of the image is charged to whoever needs it first.
    for (const name of ['first', 'second', 'third']) {
      await docker('run', '-d', '--name', name, '-v', '/var/new', '-w', '/srv/new', BASE, 'sleep', '1000');
      const { memory_stats } = await engine.docker.getContainer(name).stats({ stream: false });
      const { cache, file } = memory_stats.stats as { cache?: number; file?: number };
      charged.push(cache ?? file!);
    }
    assert.ok(charged.includes(0), `bytes: ${charged}`);
  });

  it('are seen by Node.js', async function () {
    // With version 1 nothing of them is mounted in containers.
    if (!existsSync('/sys/fs/cgroup/cgroup.controllers')) return this.skip();
    const script = 'process.constrainedMemory() / 2 ** 20 + " MiB, " + os.availableParallelism()';
    const options = ['--memory', '256m', '--cpus', '1', '-v', `${process.execPath}:/node:ro`];
    assert.equal(await docker('run', '--rm', ...options, BASE, '/node', '-p', script), '256 MiB, 1');
  });

  it('docker run --cpus bounds what is used', async () => {
    await docker('run', '-d', '--name', 'web', '--cpus', '0.2', BASE, 'sh', '-c', 'while :; do :; done');
    await new Promise((resolve) => setTimeout(resolve, 2000));
    const stats = await docker('stats', '--no-stream', '--format', '{{.CPUPerc}}', 'web');
    assert.ok(Number.parseFloat(stats) > 5 && Number.parseFloat(stats) < 40, stats);
  });

  it('docker run --ulimit holds for the app and for execs, and never goes above ours', async () => {
    const options = ['--ulimit', 'nofile=100:200', '--ulimit', 'nproc=333', '--ulimit', 'core=0'];
    await docker(
      'run',
      '-d',
      '--name',
      'web',
      ...options,
      BASE,
      'sh',
      '-c',
      'ulimit -n; ulimit -Hn; sleep 99',
    );
    assert.match(
      await docker('exec', 'web', 'sh', '-c', 'ulimit -n; ulimit -Hn; grep processes /proc/self/limits'),
      /^100\n200\nMax processes +333 +333 /,
    );
    assert.equal(await docker('logs', 'web'), '100\n200');
    for (const ulimit of ['nofile=999999999', 'core=-1', 'nonsense=1', 'nofile=5:3']) {
      assert.notEqual((await sh('true', '--ulimit', ulimit)).code, 0, ulimit);
    }
  });

  it('docker run --sysctl changes a setting for the container alone', async () => {
    const show = 'cat /proc/sys/net/core/somaxconn /proc/sys/kernel/shmmni';
    const { stdout } = await sh(show, '--sysctl', 'net.core.somaxconn=77', '--sysctl', 'kernel.shmmni=88');
    assert.equal(stdout, '77\n88\n');
    assert.doesNotMatch((await sh(show)).stdout, /^77$|^88$/m);
    assert.match((await sh(show, '-u', 'root', '--sysctl', 'net.core.somaxconn=77')).stdout, /^77\n/);
    for (const name of ['kernel.core_pattern', 'vm.swappiness', 'net..x', 'net/../kernel/core_pattern']) {
      assert.notEqual((await sh('true', '--sysctl', `${name}=1`)).code, 0, name);
    }
  });

  it('docker run --tmpfs gives a folder in memory, of that size and no program in it', async () => {
    const script =
      'df -k /x | tail -1; cp /bin/true /x/true; /x/true || echo refused; head -c 2m /dev/zero > /x/y';
    const { stdout } = await sh(script, '--tmpfs', '/x:size=1m');
    assert.match(stdout, /^tmpfs +1024 .*\/x\n.*Permission denied\nrefused\n.*No space left on device\n$/);
    assert.equal((await sh('cp /bin/true /x/t && /x/t && echo ran', '--tmpfs', '/x:exec')).stdout, 'ran\n');
    const asRoot = await sh('touch /x/a && stat -c "%u %a" /x', '-u', 'root', '--tmpfs', '/x:mode=0700');
    assert.equal(asRoot.stdout, '0 700\n');
    for (const tmpfs of ['/proc', '/x:size=999999g', '/x:suid', 'x', '/../x']) {
      assert.notEqual((await sh('true', '--tmpfs', tmpfs)).code, 0, tmpfs);
    }
  });

  it('docker run --read-only lets nothing be written but to what is mounted', async () => {
    const script =
      'touch /etc/new; touch /app/new; touch /run/new && echo run; touch /dev/shm/new && echo shm';
    const options = ['--read-only', '--tmpfs', '/run'];
    const { stdout } = await sh(script, ...options);
    assert.match(stdout, /^(.*Read-only file system\n){2}run\nshm\n$/);
    assert.match((await sh('touch /etc/new', '-u', 'root', ...options)).stdout, /Read-only/);
    assert.equal((await sh('touch /etc/new && echo wrote', '-u', 'root')).stdout, 'wrote\n');
  });

  it('docker run --oom-score-adj can only make a container the first to go', async () => {
    assert.equal((await sh('cat /proc/self/oom_score_adj', '--oom-score-adj', '500')).stdout, '500\n');
    const lower = await sh('true', '--oom-score-adj', '-500');
    assert.notEqual(lower.code, 0);
    assert.match(lower.stderr, /OomScoreAdj/);
  });

  it('refuses limits without sense, each with 400 and its name', async () => {
    const wrong: [string, object][] = [
      ['Memory', { Memory: -1 }],
      ['Memory', { Memory: 1000 }],
      ['Memory', { Memory: 2 ** 60 }],
      ['MemorySwap', { Memory: 64 << 20, MemorySwap: 32 << 20 }],
      ['MemoryReservation', { Memory: 64 << 20, MemoryReservation: 128 << 20 }],
      ['NanoCpus', { NanoCpus: -5 }],
      ['NanoCpus', { NanoCpus: 1e15 }],
      ['CpuPeriod', { CpuPeriod: 10 }],
      ['CpuQuota', { CpuQuota: 10 }],
      ['CpuShares', { CpuShares: 1e9 }],
      ['CpusetCpus', { CpusetCpus: '0-9999' }],
      ['CpusetCpus', { CpusetCpus: 'a' }],
      ['PidsLimit', { PidsLimit: 1e9 }],
      ['BlkioWeight', { BlkioWeight: 5 }],
      ['OomScoreAdj', { OomScoreAdj: 5000 }],
      ['NanoCpus', { NanoCpus: 1e9, CpuQuota: 5000 }],
    ];
    for (const [name, HostConfig] of wrong) {
      const create = engine.docker.createContainer({ Image: BASE, Cmd: ['true'], HostConfig });
      await assert.rejects(create, (error: { statusCode: number; message: string }) => {
        assert.equal(error.statusCode, 400);
        assert.ok(error.message.includes(name), `${name}: ${error.message}`);
        return true;
      });
    }
  });

  it('warns of a limit that the kernel does not know, and does without it', async () => {
    const created = await engine.client('create', '--name', 'web', '--blkio-weight', '300', BASE, 'true');
    assert.equal(created.code, 0);
    const kept = await inspect('{{.HostConfig.BlkioWeight}}');
    if (kept === '0') assert.match(created.stderr, /Block I\/O weight/);
    else assert.deepEqual([kept, created.stderr], ['300', '']);
  });

  it('the platform may set limits, and neither restart policies nor none at all', async () => {
    const container = await engine.platform.createContainer({
      Image: BASE,
      Cmd: ['sleep', '99'],
      HostConfig: { Memory: 64 << 20, CpuQuota: 50_000 },
    });
    await container.update({ Memory: 32 << 20, MemorySwap: 64 << 20 });
    for (const change of [{ RestartPolicy: { Name: 'always' } }, { PidsLimit: -1 }, { MemorySwap: -1 }]) {
      await assert.rejects(container.update(change), { statusCode: 403 }, JSON.stringify(change));
    }
  });
});
