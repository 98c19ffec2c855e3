import assert from 'node:assert/strict';
import { closeSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { LaunchSpec } from '../../../runtime/containers/kernel.ts';
import { outsideId } from '../../../runtime/containers/plan/user-namespace-plan.ts';
import { BASE } from '../engine-process.ts';
import { DOCKER, engineSuite } from '../engine-suite.ts';
import { APP_USER } from '../kernel-fixture.ts';
import { kernelSuite } from '../kernel-suite.ts';

/** Root inside, as a step of a build. */
const BUILDER = {
  uid: 0,
  gid: 0,
  capabilities: [
    'CAP_CHOWN',
    'CAP_DAC_OVERRIDE',
    'CAP_FOWNER',
    'CAP_FSETID',
    'CAP_KILL',
    'CAP_SETGID',
    'CAP_SETUID',
  ],
  userNamespace: true,
};
/** The same as root of the host: the negative control. */
const HOST_ROOT = { ...BUILDER, userNamespace: false };

describe('a container with a user namespace', () => {
  const containers = kernelSuite();

  /** The users, on the host, of a container's PID 1 and of an exec in it. */
  async function usersOutside(overrides: Partial<LaunchSpec>): Promise<number[]> {
    const spec = containers.spec('sleep 99', overrides);
    return containers.during(spec, async ({ pid }) => {
      const { output } = await containers.exec(spec, 'exec sleep 98 & echo $!', overrides);
      const processes = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
      assert.ok(Number(output) > 1);
      return [pid, ...processes]
        .map((id) => statSync(`/proc/${id}/task/${id}/status`).uid)
        .map((uid, index) =>
          index === 0 ? Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) : uid,
        );
    });
  }

  it('runs as nobody of the host, whoever it is inside; execs too', async () => {
    const users = await usersOutside(BUILDER);
    assert.ok(users.length >= 3, 'PID 1, the app and what the exec left');
    assert.deepEqual(new Set(users), new Set([outsideId(0)]));
    assert.deepEqual(new Set(await usersOutside(HOST_ROOT)), new Set([0]));
  });

  it('is root inside: writes, removes, changes owners and users as in a build', async () => {
    const script = `set -e
      id -u; touch /etc/passwd /new /data/new; chown ${APP_USER}:5 /new; rm /etc/debian_version; mv /usr/share/doc /usr/share/papers
      mkdir -p /srv/a/b; ln -s x /srv/link; mknod /srv/fifo p; chmod 4755 /new; echo "127.0.0.2 db" >> /etc/hosts
      stat -c '%u:%g %a %n' /new /etc /data /dev/shm /srv/fifo /etc/hosts
      perl -e '$) = "1000 1000"; $> = 1000; open F, ">/tmp/of-1000"; print "$>\\n"'; stat -c %u /tmp/of-1000
      test ! -e /etc/debian_version; echo fine`;
    const volume = join(containers.folder, 'volume');
    mkdirSync(volume);
    const binds = [{ source: volume, target: '/data', readOnly: false }];
    const expected = [
      ...['0', `${APP_USER}:5 4755 /new`, '0:0 755 /etc', '0:0 755 /data', '0:0 1777 /dev/shm'],
      ...['0:0 644 /srv/fifo', '0:0 644 /etc/hosts', '1000', '1000', 'fine', ''],
    ];
    const { output } = await containers.run(script, { ...BUILDER, cwd: '/srv', binds });
    assert.deepEqual(output.split('\n'), expected);
    assert.equal(statSync(join(volume, 'new')).uid, 0, 'on the disk owners are those inside');
    assert.deepEqual((await containers.run(script, { ...HOST_ROOT, binds })).output.split('\n'), expected);
  });

  it('leaves in its upper folder what a container without one leaves there', async () => {
    const script = `chown ${APP_USER} /etc/passwd; rm -r /usr/share/doc; mkdir /usr/share/doc; touch /usr/share/doc/x`;
    const owners = async (overrides: Partial<LaunchSpec>) => {
      const spec = containers.spec(script, overrides);
      await containers.start(spec);
      await containers.exited(spec);
      await containers.kernel.release(spec.id);
      const stat = (path: string) => statSync(join(spec.rootfs.upper, path));
      return ['.', 'etc', 'etc/passwd', 'usr', 'usr/share/doc', 'usr/share/doc/x']
        .map(stat)
        .map(({ uid, gid, mode }) => [uid, gid, mode]);
    };
    const mapped = await owners(BUILDER);
    assert.deepEqual(mapped, await owners(HOST_ROOT));
    assert.equal(mapped[2]![0], APP_USER);
  });

  it('has its terminals, and execs have theirs', async () => {
    const spec = containers.spec('stat -c "%u:%g %a" $(tty) > /tmp/first; sleep 99', {
      ...BUILDER,
      stdio: { terminal: { rows: 24, columns: 80 } },
    });
    await containers.during(spec, async () => {
      assert.equal(
        (
          await containers.exec(
            spec,
            'for try in $(seq 100); do [ -s /tmp/first ] && break; sleep 0.05; done; cat /tmp/first',
            BUILDER,
          )
        ).output,
        '0:5 620\n',
      );
    });
  });

  it('cannot read what is root’s alone in /proc and /sys', async () => {
    const script =
      'find /proc /sys -maxdepth 3 -not -path "/proc/[0-9]*" -not -path "/proc/self*" -not -path "/proc/thread*" -type f -perm 400 2>/dev/null |' +
      ' while read file; do (head -c 1 "$file" > /dev/null) 2> /dev/null && echo "$file"; done; true';
    assert.equal((await containers.run(script, BUILDER)).output, '');
    assert.match(
      (await containers.run(script, HOST_ROOT)).output,
      /\/proc\/(slabinfo|vmallocinfo|kpagecount)/,
    );
  });

  it('is refused by what only root of the host may do, by owner alone', async () => {
    const secret = join(containers.folder, 'secret');
    writeFileSync(secret, 'of the host', { mode: 0o600 });
    // Not by a bind, which maps owners, but by a descriptor, as if one of the host's had leaked.
    const script =
      'cat /proc/self/fd/0 2>/dev/null; chmod 644 /proc/self/fd/0 2>/dev/null && echo changed; true';
    const attempt = async (overrides: Partial<LaunchSpec>) => {
      const spec = containers.spec(script, overrides);
      const leaked = openSync(secret, 'r');
      await containers.start({
        ...spec,
        stdio: { ...(spec.stdio as { stdout: number; stderr: number }), stdin: leaked },
      });
      await containers.exited(spec);
      closeSync(leaked);
      await containers.kernel.release(spec.id);
      return containers.output(spec);
    };
    assert.equal(await attempt(BUILDER), '');
    assert.equal(await attempt(HOST_ROOT), 'of the hostchanged\n');
  });
});

describe('user namespaces by the Engine API', function () {
  this.timeout(60_000);
  const engine = engineSuite([DOCKER]);

  const firstUser = (text: string) => Number(text.trim().split(/\s+/)[1]);
  const MAP = ['cat', '/proc/self/uid_map'];

  it('root has one unless it asks for the host’s; others have none', async () => {
    assert.equal(firstUser((await engine.client('run', '-u', '0', BASE, ...MAP)).stdout), outsideId(0));
    assert.equal(firstUser((await engine.client('run', BASE, ...MAP)).stdout), 0);
    const host = await engine.client('run', '-u', '0', '--userns', 'host', BASE, ...MAP);
    assert.equal(firstUser(host.stdout), 0);
  });

  it('an app that was given capabilities has one, for an exec as root would have them', async () => {
    await engine.client('run', '-d', '--name', 'given', '--cap-add', 'DAC_OVERRIDE', BASE, 'sleep', '999');
    const script = 'cat /proc/self/uid_map; grep CapEff /proc/self/status; cat /proc/slabinfo 2>/dev/null';
    const { stdout } = await engine.client('exec', '-u', '0', 'given', 'sh', '-c', script);
    assert.match(stdout, new RegExp(`^\\s+0\\s+${outsideId(0)}\\s+\\d+\\nCapEff:\\t0{15}2\\n$`));
  });

  it('an exec has that of its container, also after the runtime’s restart', async () => {
    await engine.client('run', '-d', '--name', 'rooted', '-u', '0', BASE, 'sleep', '999');
    const namespace = () =>
      engine.client('exec', 'rooted', 'sh', '-c', 'readlink /proc/self/ns/user /proc/2/ns/user');
    const same = ({ stdout }: { stdout: string }) => /^(user:\[\d+\])\n\1\n$/.test(stdout);
    assert.ok(same(await namespace()));
    await engine.end('SIGKILL');
    await engine.start();
    const later = await namespace();
    assert.ok(same(later), later.stdout + later.stderr);
    assert.equal(firstUser((await engine.client('exec', 'rooted', ...MAP)).stdout), outsideId(0));
  });

  it('its root opens its output by name', async () => {
    const { stdout, stderr } = await engine.client(
      'run',
      '-u',
      '0',
      BASE,
      'sh',
      '-c',
      'echo out > /dev/stdout; echo err > /dev/stderr',
    );
    assert.deepEqual([stdout, stderr], ['out\n', 'err\n']);
  });

  it('what root inside wrote is the same in an image for others', async () => {
    const write = `echo text > /srv/mine; mkdir -m 700 /srv/app; chown ${APP_USER} /srv/app; rm /etc/debian_version`;
    await engine.client('run', '--name', 'step', '-u', '0', '--cap-add', 'CHOWN', BASE, 'sh', '-c', write);
    await engine.client('commit', 'step', 'step:1');
    const look =
      'stat -c "%u %a %n" /srv/mine /srv/app; touch /srv/app/x && echo written; test -e /etc/debian_version || echo gone';
    const expected = `0 644 /srv/mine\n${APP_USER} 700 /srv/app\nwritten\ngone\n`;
    assert.equal((await engine.client('run', '-u', 'app', 'step:1', 'sh', '-c', look)).stdout, expected);
    const asRoot = await engine.client(
      'run',
      '-u',
      '0',
      '--cap-add',
      'DAC_OVERRIDE',
      'step:1',
      'sh',
      '-c',
      look,
    );
    assert.equal(asRoot.stdout, expected);
    const asHost = await engine.client(
      'run',
      '-u',
      '0',
      '--cap-add',
      'DAC_OVERRIDE',
      '--userns',
      'host',
      'step:1',
      'sh',
      '-c',
      look,
    );
    assert.equal(asHost.stdout, expected);
  });
});
