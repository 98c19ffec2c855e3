import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { FirewallMembers } from '../../../runtime/network/firewall-members.ts';
import type { PublishedPort, Traffic } from '../../../runtime/network/traffic.ts';

const NETWORK_A = 'a'.repeat(64);
const NETWORK_B = 'b'.repeat(64);

function traffic(networks: string[], more: Partial<Traffic> = {}): Traffic {
  return {
    networks: networks.map((network) => ({ network, names: [], links: {} })),
    egress: true,
    ports: [],
    dns: { servers: [], search: [], options: [] },
    ...more,
  };
}

describe('FirewallMembers', () => {
  const change = (members: FirewallMembers, changes: Record<string, Traffic | undefined>) =>
    members.change(new Map(Object.entries(changes)));

  it('change() says nothing of a container that shares no network and publishes nothing', () => {
    const members = new FirewallMembers('t');
    assert.equal(change(members, { '10.0.0.1': traffic([]) }), '');
    assert.equal(change(members, { '10.0.0.1': undefined }), '');
  });

  it('change() makes a network with its first member and takes it away with its last', () => {
    const members = new FirewallMembers('t');
    const first = change(members, { '10.0.0.1': traffic([NETWORK_A]) });
    assert.match(
      first,
      /^add set inet paas_t net_a{24} \{ type ipv4_addr; \}\nadd chain inet paas_t (peers_\w+)\nadd rule inet paas_t \1 ip daddr @net_a{24} accept\n/,
    );
    assert.match(first, /add element inet paas_t net_a{24} \{ 10\.0\.0\.1 \}\n/);
    assert.match(first, /add element inet paas_t peers \{ 10\.0\.0\.1 : jump peers_\w+ \}\n/);
    const second = change(members, { '10.0.0.2': traffic([NETWORK_A]) });
    assert.equal(second.trim().split('\n').length, 2);
    assert.doesNotMatch(change(members, { '10.0.0.1': undefined }), /delete (chain|set)/);
    const last = change(members, { '10.0.0.2': undefined });
    assert.match(last, /delete element.*delete chain.*delete set/s);
    assert.equal(members.all(), '');
  });

  it('change() deletes nothing that a container of the same transaction needs', () => {
    const members = new FirewallMembers('t');
    change(members, { '10.0.0.1': traffic([NETWORK_A]) });
    const commands = change(members, { '10.0.0.1': undefined, '10.0.0.2': traffic([NETWORK_A]) });
    assert.doesNotMatch(commands, /(add|delete) (chain|set)/);
    assert.match(commands, /delete element inet paas_t net_a{24} \{ 10\.0\.0\.1 \}/);
    const moved = change(members, { '10.0.0.2': traffic([NETWORK_A, NETWORK_B]) });
    assert.doesNotMatch(moved, /delete set|net_a{24} \{ 10/);
  });

  it('change() publishes ports, for all of the host or one address', () => {
    const members = new FirewallMembers('t');
    const port: PublishedPort = { protocol: 'tcp', port: 80, hostAddress: '0.0.0.0', hostPort: 8080 };
    const ports = [port, { ...port, protocol: 'udp' as const, hostAddress: '192.0.2.1' }];
    const commands = change(members, { '10.0.0.1': traffic([], { ports }) });
    assert.match(commands, /published \{ tcp \. 8080 : 10\.0\.0\.1 \. 80 \}/);
    assert.match(commands, /published_at \{ 192\.0\.2\.1 \. udp \. 8080 : 10\.0\.0\.1 \. 80 \}/);
  });

  it('all() is what change() has made', () => {
    const members = new FirewallMembers('t');
    const wanted = {
      '10.0.0.1': traffic([NETWORK_A, NETWORK_B]),
      '10.0.0.2': traffic([], { egress: false }),
    };
    const lines = (text: string) => text.trim().split('\n').sort();
    assert.deepEqual(lines(change(members, wanted)), lines(members.all()));
  });
});
