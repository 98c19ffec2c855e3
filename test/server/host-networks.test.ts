import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { freeSubnet } from '../../server/demo/demo-platform.ts';
import { overlapping, parseRoutes, routesOfHost } from '../../server/host-networks.ts';

const HEAD =
  'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT                        \n';
const line = (device: string, destination: string, mask: string) =>
  `${device}\t${destination}\t00000000\t0001\t0\t0\t0\t${mask}\t0\t0\t0\n`;

describe('parseRoutes()', () => {
  it('reads networks and single machines', () => {
    const table = HEAD + line('eth0', '0001A8C0', '00FFFFFF') + line('wg0', '0500000A', 'FFFFFFFF');
    assert.deepEqual(parseRoutes(table), [
      { device: 'eth0', network: '192.168.1.0/24' },
      { device: 'wg0', network: '10.0.0.5/32' },
    ]);
    assert.deepEqual(parseRoutes(''), []);
  });

  it('leaves out default routes, those of tunnels too', () => {
    const halves = line('tun0', '00000000', '00000080') + line('tun0', '00000080', '00000080');
    assert.deepEqual(parseRoutes(HEAD + line('eth0', '00000000', '00000000') + halves), []);
  });
});

describe('routesOfHost()', () => {
  it('leaves out what instances have set', () => {
    const own = line('*', '00001EAC', '0000FFFF') + line('v5c7895-d86', '010D1EAC', 'FFFFFFFF');
    const lan = line('veth5c7895', '010D1EAC', 'FFFFFFFF');
    assert.deepEqual(routesOfHost(parseRoutes(HEAD + own + lan)), parseRoutes(HEAD + lan));
  });
});

describe('overlapping()', () => {
  const route = (network: string) => ({ network, device: 'eth0' });

  it('finds the same network, a larger one, a smaller one, and a single machine', () => {
    for (const network of ['172.30.0.0/16', '172.16.0.0/12', '172.30.7.0/24', '172.30.255.255/32']) {
      assert.deepEqual(overlapping([route(network)], '172.30.0.0/16'), [route(network)], network);
    }
  });

  it('does not find its neighbours', () => {
    assert.deepEqual(overlapping(['172.29.0.0/16', '172.31.0.0/24'].map(route), '172.30.0.0/16'), []);
  });

  it('understands a subnet that is named by an address in it', () => {
    assert.equal(overlapping([route('172.30.9.0/24')], '172.30.1.1/16').length, 1);
  });
});

describe('freeSubnet()', () => {
  it('avoids networks that have a route, those of other instances too', () => {
    const first = freeSubnet(HEAD);
    const [, , third] = first.split('.').map(Number);
    const destination = Buffer.from([0, third!, 29, 172]).toString('hex').toUpperCase();
    const second = freeSubnet(HEAD + line('*', destination, '00FFFFFF'));
    assert.match(second, /^172\.29\.\d+\.0\/24$/);
    assert.notEqual(second, first);
  });

  it('leaves a range that the machine uses as a whole', () => {
    assert.match(freeSubnet(HEAD + line('eth0', '000010AC', '0000F0FF')), /^10\.213\.\d+\.0\/24$/);
  });
});
