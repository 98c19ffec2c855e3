import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { describe, it } from 'mocha';
import { parseConfig } from '../../../server/config.ts';
import {
  checkCgroups,
  checkHost,
  checkSubnet,
  checkVersion,
  complaint,
} from '../../../server/host/checks.ts';
import { listenersOf } from '../../../server/host/port-holder.ts';

describe('checkVersion()', () => {
  it('takes 6.1 and later', () => {
    assert.ok(checkVersion('6.1.0-18-amd64').ok);
    assert.ok(checkVersion('6.18.44').ok);
    assert.ok(checkVersion('7.0.0').ok);
  });

  it('refuses older ones in one line that says how to get a newer', () => {
    const check = checkVersion('5.15.0-91-generic');
    assert.ok(!check.ok);
    assert.match(
      complaint(check),
      /^kernel: Linux 5\.15\.0-91-generic is too old, 6\.1 .*linux-generic-hwe-22\.04[^\n]*$/,
    );
  });
});

describe('checkCgroups()', () => {
  const v1 = (...controllers: string[]) =>
    controllers.map((name) => `cgroup /sys/fs/cgroup/${name} cgroup rw,relatime,${name} 0 0`).join('\n');

  it('finds the controllers of v2', () => {
    assert.ok(checkCgroups('', 'cpuset cpu io memory hugetlb pids\n').ok);
  });

  it('finds the controllers of v1', () => {
    assert.ok(checkCgroups(v1('memory', 'cpu,cpuacct', 'pids'), '').ok);
  });

  it('says which are missing and how to get them', () => {
    const check = checkCgroups(v1('cpu', 'pids'), '');
    assert.equal(check.detail, 'no controller for memory');
    assert.match(check.remedy, /cgroup_enable=memory/);
    assert.equal(checkCgroups('', '').detail, 'no controller for memory, cpu, pids');
  });
});

describe('checkSubnet()', () => {
  const lan = { network: '172.16.0.0/12', device: 'eth1' };

  it('takes a subnet that the machine has no other use for', () => {
    assert.ok(checkSubnet('172.30.0.0/16', [{ network: '192.168.1.0/24', device: 'eth0' }]).ok);
  });

  it('names the network that it would hide, and another that is free', () => {
    assert.equal(
      complaint(checkSubnet('172.30.0.0/16', [lan])),
      'subnet: 172.30.0.0/16 has addresses of a network of this machine: 172.16.0.0/12 (eth1). Give the containers others with PAAS_SUBNET, e.g. PAAS_SUBNET=10.213.0.0/16.',
    );
  });
});

describe('checkHost()', () => {
  it('names who holds a port, and the setting to choose another', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
    });
    const config = parseConfig({
      PAAS_RUN: '/nonexistent',
      PAAS_HTTP: `127.0.0.1:${port}`,
      PAAS_SSH: '127.0.0.1:0',
    });
    const checks = await checkHost(config);
    server.close();
    const check = checks.find(({ name }) => name === `port ${port}`);
    assert.ok(check && !check.ok);
    assert.match(
      complaint(check),
      new RegExp(`127\\.0\\.0\\.1:${port} is taken by .*\\(process ${process.pid}\\)`),
    );
    assert.match(check.remedy, /PAAS_HTTP=/);
  });
});

describe('listenersOf()', () => {
  it('gives the inodes of listening sockets only', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1',
      '   1: 0100007F:0050 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 222 1',
    ].join('\n');
    assert.deepEqual(listenersOf(table, 80), ['111']);
    assert.deepEqual(listenersOf(table, 81), []);
  });
});
