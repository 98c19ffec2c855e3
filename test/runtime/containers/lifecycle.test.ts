import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { until } from '../../fixtures/until.ts';
import { BASE, createEngineFixture, type EngineFixture } from '../engine-fixture.ts';
import { ProcessKernel } from '../process-kernel.ts';

describe('Lifecycle, through the API', () => {
  let fixture: EngineFixture;
  let docker: Docker;
  let kernel: ProcessKernel;

  beforeEach(async () => {
    kernel = new ProcessKernel();
    fixture = await createEngineFixture(kernel);
    docker = fixture.docker;
  });

  afterEach(async () => {
    await fixture.removeContainers();
    await fixture.remove();
  });

  function create(script: string, HostConfig: object = {}, more: object = {}) {
    return docker.createContainer({ Image: BASE, Cmd: ['/bin/sh', '-c', script], HostConfig, ...more });
  }

  const state = async (container: Docker.Container) => (await container.inspect()).State;
  const logOf = async (container: Docker.Container) =>
    (await container.logs({ stdout: true, stderr: true })).toString();

  it('pauses a process where it stands, and lets it go on', async () => {
    const container = await create('while :; do echo tick; sleep 0.01; done');
    await container.start();
    await until(async () => (await logOf(container)).includes('tick'));
    await container.pause();
    const pid = (await state(container)).Pid;
    // Between its fork and its child's exec a shell stands still only a little later.
    await until(async () => /^State:\tT/m.test(readFileSync(`/proc/${pid}/status`, 'latin1')));
    assert.deepEqual([(await state(container)).Status, (await state(container)).Paused], ['paused', true]);
    await assert.rejects(container.pause(), { statusCode: 409 });
    await assert.rejects(container.start(), { statusCode: 409 });
    await assert.rejects(container.remove(), { statusCode: 409 });
    await assert.rejects(container.exec({ Cmd: ['true'] }), { statusCode: 409 });
    await container.unpause();
    assert.doesNotMatch(readFileSync(`/proc/${pid}/status`, 'latin1'), /^State:\tT/m);
    await assert.rejects(container.unpause(), { statusCode: 409 });
  });

  it('is paused, or made an image of, when a start that is under way is over', async () => {
    const container = await create('sleep 1000');
    await Promise.all([container.start(), container.pause()]);
    assert.equal((await state(container)).Status, 'paused');
    await container.stop({ t: 0 });
    await Promise.all([container.start(), container.commit({ repo: 'meanwhile' })]);
    assert.equal((await state(container)).Status, 'running');
  });

  it('starts again what its policy wants, and stops when a client does', async () => {
    const container = await create('exit 4', { RestartPolicy: { Name: 'always' } });
    await container.start();
    await until(async () => (await container.inspect()).RestartCount >= 2);
    await until(async () => (await state(container)).Restarting);
    assert.equal((await docker.listContainers()).length, 1);
    await assert.rejects(container.start(), { statusCode: 304 });
    await assert.rejects(container.exec({ Cmd: ['true'] }), { statusCode: 409 });
    await assert.rejects(container.commit(), { statusCode: 409 });
    const waiting = container.wait({ condition: 'not-running' });
    await container.stop();
    assert.deepEqual(await waiting, { StatusCode: 4 });
    const ended = await container.inspect();
    assert.deepEqual([ended.State.Status, ended.State.ExitCode], ['exited', 4]);
    const starts = kernel.launched.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    assert.equal(kernel.launched.length, starts);
    await container.remove();
  });

  it('counts from nought again when a client starts it', async () => {
    const container = await create('exit 4', { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 1 } });
    for (let round = 0; round < 2; round++) {
      const before = kernel.launched.length;
      await container.start();
      await until(async () => (await state(container)).Status === 'exited');
      assert.equal((await container.inspect()).RestartCount, 1);
      assert.equal(kernel.launched.length - before, 2);
    }
  });

  it('gives up what cannot be started again, and says why', async () => {
    const program = join(fixture.settings.data, 'program');
    writeFileSync(program, `#!/bin/sh\nrm ${program}\n`, { mode: 0o755 });
    const container = await docker.createContainer({
      Image: BASE,
      Cmd: [program],
      HostConfig: { RestartPolicy: { Name: 'always' } },
    });
    await container.start();
    await until(async () => (await state(container)).Status === 'exited');
    assert.deepEqual([(await state(container)).ExitCode, existsSync(program)], [127, false]);
    assert.match((await state(container)).Error, /program/);
  });

  it('restarts with another process, and does not remove what would remove itself', async () => {
    const container = await create('sleep 99', { AutoRemove: true });
    await container.start();
    const { Pid } = await state(container);
    await container.restart({ t: 0 });
    assert.equal((await state(container)).Running, true);
    assert.notEqual((await state(container)).Pid, Pid);
    const removed = container.wait({ condition: 'removed' });
    await container.kill();
    await removed;
  });

  it('waits for an end as long as it is told: not at all, or for ever', async () => {
    const slow = 'trap "sleep 0.7; exit 9" TERM; echo ready; while :; do sleep 0.05; done';
    const codes: number[] = [];
    for (const [StopTimeout, t] of [[0], [-1], [10, 0], [0, -1]]) {
      const container = await create(slow, {}, { StopTimeout });
      await container.start();
      await until(async () => (await logOf(container)).includes('ready'));
      await container.stop(t === undefined ? {} : { t });
      codes.push((await state(container)).ExitCode);
    }
    assert.deepEqual(codes, [137, 9, 137, 9]);
  });

  it('tells health in inspect, in the list, and as an event', async () => {
    const flag = join(fixture.settings.data, 'well');
    const Healthcheck = { Test: ['CMD-SHELL', `test -e ${flag} && echo well`], Interval: 2e7, Retries: 2 };
    const container = await create('sleep 99', {}, { Healthcheck });
    const events: string[] = [];
    const stream = await docker.getEvents({ filters: { event: ['health_status'] } });
    stream.on('data', (chunk: Buffer) =>
      events.push(...(chunk.toString().match(/health_status: \w+/g) ?? [])),
    );
    await container.start();
    assert.equal((await state(container)).Health?.Status, 'starting');
    await until(async () => (await state(container)).Health?.Status === 'unhealthy');
    writeFileSync(flag, '');
    await until(async () => (await state(container)).Health?.Status === 'healthy');
    const listed = await docker.listContainers({ filters: { health: ['healthy'] } });
    assert.match(listed[0]!.Status, /\(healthy\)$/);
    assert.deepEqual(await docker.listContainers({ filters: { health: ['none', 'unhealthy'] } }), []);
    await until(() => events.includes('health_status: healthy'));
    (stream as unknown as { destroy(): void }).destroy();
    await container.stop({ t: 0 });
    assert.equal((await state(container)).Health?.Status, 'unhealthy');
  });

  it('updates limits of what runs and of what does not, all or nothing', async () => {
    const container = await create('sleep 99', { Memory: 64 << 20 });
    await container.update({ Memory: 128 << 20, PidsLimit: 9 });
    await container.start();
    assert.equal(kernel.launched.at(-1)?.limits.memory, 128 << 20);
    await container.update({ NanoCpus: 5e8, RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 3 } });
    const { HostConfig } = await container.inspect();
    assert.deepEqual(
      [
        HostConfig.Memory,
        HostConfig.PidsLimit,
        HostConfig.NanoCpus,
        HostConfig.RestartPolicy?.MaximumRetryCount,
      ],
      [128 << 20, 9, 5e8, 3],
    );
    assert.deepEqual(kernel.limits.get(container.id)?.nanoCpus, 5e8);
    kernel.update = () => {
      throw Object.assign(new Error('the kernel says no'), { code: 'conflict' });
    };
    await assert.rejects(container.update({ PidsLimit: 77 }), { statusCode: 409 });
    assert.equal((await container.inspect()).HostConfig.PidsLimit, 9);
    for (const wrong of [{ Privileged: true }, { Memory: -1 }, { Binds: ['/:/x'] }, [], 'x']) {
      await assert.rejects(container.update(wrong), { statusCode: 400 }, JSON.stringify(wrong));
    }
  });

  it('renames, and lets nobody have a name twice', async () => {
    const [one, two] = [await create('true', {}, { name: 'one' }), await create('true', {}, { name: 'two' })];
    await assert.rejects(one.rename({ name: 'two' }), { statusCode: 409 });
    await assert.rejects(one.rename({ name: 'one' }), { statusCode: 400 });
    await assert.rejects(one.rename({ name: 'a/b' }), { statusCode: 400 });
    await two.rename({ name: 'three' });
    await one.rename({ name: 'two' });
    assert.equal((await docker.getContainer('two').inspect()).Id, one.id);
    assert.equal((await docker.getContainer('three').inspect()).Id, two.id);
  });

  describe('several requests for one container at once', () => {
    const LOOP = 'trap "exit 0" TERM; while :; do sleep 0.01; done';

    /** As a commit or a copy does; returns what ends it. */
    function hold({ id }: Docker.Container): () => Promise<void> {
      const gate = Promise.withResolvers<void>();
      const held = fixture.runtime.engine.find(id, 'root').exclusively('held', () => gate.promise);
      return () => {
        gate.resolve();
        return held;
      };
    }

    const answer = (request: Promise<unknown>) =>
      request.then(
        () => 'done',
        (error: { statusCode?: number }) => error.statusCode,
      );

    it('one start starts it, the others find it started', async () => {
      const container = await create(LOOP);
      const answers = await Promise.all([1, 2, 3].map(() => answer(container.start())));
      assert.deepEqual(answers.sort(), [304, 304, 'done']);
      assert.equal(kernel.launched.length, 1);
    });

    it('a start waits for what else is done', async () => {
      const container = await create(LOOP);
      const letGo = hold(container);
      const started = [container.start(), container.restart({ t: 0 })];
      await new Promise((resolve) => setTimeout(resolve, 50));
      assert.equal(kernel.launched.length, 0);
      await letGo();
      await Promise.all(started);
      assert.equal((await state(container)).Running, true);
    });

    it('a removed container is not started by who waited for that', async () => {
      const container = await create(LOOP);
      const letGo = hold(container);
      const removed = container.remove({ force: true });
      await new Promise((resolve) => setTimeout(resolve, 50));
      const restarted = answer(container.restart({ t: 0 }));
      await new Promise((resolve) => setTimeout(resolve, 50));
      await letGo();
      await removed;
      assert.equal(await restarted, 404);
      assert.equal(kernel.launched.length, 0);
    });

    it('a forced removal wins against a restart', async () => {
      for (let round = 0; round < 5; round++) {
        const container = await create(LOOP);
        await container.start();
        const restarted = answer(container.restart({ t: 1 }));
        await new Promise((resolve) => setTimeout(resolve, round));
        await container.remove({ force: true });
        await restarted;
        assert.equal(await answer(container.inspect()), 404);
      }
    });

    it('a new name is known also where it is given during the start', async () => {
      await docker.createNetwork({ Name: 'mine' });
      const container = await create(LOOP, { NetworkMode: 'mine' }, { name: 'old' });
      const start = kernel.start;
      const gate = Promise.withResolvers<void>();
      const known: string[] = [];
      kernel.start = async (spec) => {
        await gate.promise;
        return start.call(kernel, spec);
      };
      kernel.changeTraffic = async (_: string, { networks }: { networks: { names: string[] }[] }) => {
        known.push(networks[0]!.names[0]!);
      };
      const started = container.start();
      await new Promise((resolve) => setTimeout(resolve, 50));
      const renamed = container.rename({ name: 'new' });
      await new Promise((resolve) => setTimeout(resolve, 50));
      gate.resolve();
      await Promise.all([started, renamed]);
      assert.deepEqual(known, ['new']);
      assert.equal((await container.inspect()).Name, '/new');
    });

    it('docker kill leaves it ended, so that it can be removed', async () => {
      for (let round = 0; round < 5; round++) {
        const container = await create('sleep 99');
        await container.start();
        await container.kill();
        await container.remove();
      }
    });

    it('a commit has succeeded also where somebody ends the container meanwhile', async () => {
      const container = await create('sleep 99');
      await container.start();
      const [committed, stopped] = [container.commit(), container.stop({ t: 0 })];
      assert.match((await committed).Id, /^sha256:/);
      await stopped;
    });

    it('what is to remove itself does so after what is done with it at its end', async () => {
      const container = await create('sleep 99', { AutoRemove: true });
      await container.start();
      const letGo = hold(container);
      process.kill((await state(container)).Pid, 'SIGKILL');
      await until(async () => !(await state(container)).Running);
      await letGo();
      await until(async () => (await answer(container.inspect())) === 404);
    });

    it('nor does it between two restarts', async () => {
      const container = await create(LOOP, { AutoRemove: true });
      await container.start();
      const answers = await Promise.all([1, 2].map(() => answer(container.restart({ t: 1 }))));
      assert.deepEqual(answers, ['done', 'done']);
      assert.equal((await state(container)).Running, true);
    });
  });

  describe('GET /containers/json', () => {
    const names = async (filters: object, more: object = {}) => {
      const found = await docker.listContainers({ all: true, filters: JSON.stringify(filters), ...more });
      return found.map(({ Names }) => Names[0]!.slice(1)).sort();
    };

    it('filters by everything that a container is', async () => {
      const first = await create('exit 3', {}, { name: 'first', Labels: { app: 'a' } });
      await first.start();
      await first.wait();
      const second = await create('sleep 99', { Binds: ['cache:/cache'] }, { name: 'second' });
      await second.start();
      await create('true', { NetworkMode: 'none' }, { name: 'third' });
      const expected: [object, string[]][] = [
        [{ name: ['ir'] }, ['first', 'third']],
        [{ name: ['^/first$'] }, ['first']],
        [{ name: ['^th', 'nd$'] }, ['second', 'third']],
        [{ name: ['.*'] }, []],
        [{ id: [first.id.slice(0, 12)] }, ['first']],
        [{ status: ['exited', 'created'] }, ['first', 'third']],
        [{ exited: ['3'] }, ['first']],
        [{ label: ['app=a'] }, ['first']],
        [{ ancestor: [BASE] }, ['first', 'second', 'third']],
        [{ ancestor: ['nonesuch'] }, []],
        [{ before: ['second'] }, ['first']],
        [{ since: ['first'] }, ['second', 'third']],
        [{ volume: ['cache'] }, ['second']],
        [{ volume: ['/cache'] }, ['second']],
        [{ network: ['none'] }, ['third']],
        [{ network: ['bridge'] }, ['first', 'second']],
        [{ health: ['none'], status: ['running'] }, ['second']],
      ];
      for (const [filters, wanted] of expected) {
        assert.deepEqual(await names(filters), wanted, JSON.stringify(filters));
      }
      assert.deepEqual(await names({}, { all: false }), ['second']);
      assert.deepEqual(await names({}, { limit: 1 }), ['third']);
    });

    it('filters by the ports of the host that lead to it, and by those that it exposes', async () => {
      const more = { name: 'web', ExposedPorts: { '9000/udp': {} } };
      const PortBindings = { '80/tcp': [{ HostPort: '8080' }], '81/tcp': [{ HostPort: '' }] };
      const web = await create('sleep 99', { PortBindings }, more);
      assert.deepEqual(await names({ publish: ['8080'] }), [], 'it does not run');
      await web.start();
      const [{ Ports }] = (await docker.listContainers()) as [Docker.ContainerInfo];
      const chosen = Ports.find(({ PrivatePort }) => PrivatePort === 81)?.PublicPort;
      for (const publish of ['8080', '8080/tcp', '8000-8080/tcp', String(chosen)])
        assert.deepEqual(await names({ publish: [publish] }), ['web'], publish);
      for (const publish of ['80', '81', '8081', '8080/udp', '9000/udp'])
        assert.deepEqual(await names({ publish: [publish] }), [], publish);
      assert.deepEqual(await names({ expose: ['8999-9001/udp'] }), ['web']);
      assert.deepEqual(await names({ expose: ['9000'] }), []);
      // What an image says need be no port.
      await create('true', {}, { name: 'odd', ExposedPorts: { http: {}, '9000/sctp': {} } });
      assert.deepEqual(await names({ expose: ['8999-9001/udp'] }), ['web']);
      assert.deepEqual(await names({ expose: ['9000/sctp'] }), ['odd']);
    });

    it('refuses filters that it does not know, and values that cannot be', async () => {
      for (const filters of [
        { nonsense: ['x'] },
        { status: ['asleep'] },
        { health: ['ill'] },
        { exited: ['x'] },
        { publish: ['http'] },
        { expose: ['9-1'] },
      ]) {
        await assert.rejects(names(filters), { statusCode: 400 }, JSON.stringify(filters));
      }
      await assert.rejects(names({ before: ['nonesuch'] }), { statusCode: 404 });
    });
  });
});
