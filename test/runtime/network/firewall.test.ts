import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { firewallRules } from '../../../runtime/network/firewall.ts';

describe('firewallRules()', () => {
  const options = { tag: 'abcdef', subnet: '172.30.0.0/16', nameServers: ['10.0.0.2'] };

  it('replaces the whole table of its instance, in one transaction', () => {
    assert.match(
      firewallRules(options),
      /^\s*table inet paas_abcdef\s+delete table inet paas_abcdef\s+table inet paas_abcdef \{/,
    );
  });

  it('ends what comes from containers to the host with a drop', () => {
    const chain = /chain to_host \{(.*?)\n {2}\}/s.exec(firewallRules(options))?.[1];
    assert.match(chain!, /iifname != "vabcdef-\*" accept\s+ct state established,related accept/);
    assert.match(chain!, /drop\s*$/);
  });

  it('lets containers ask the name servers, if any', () => {
    assert.match(
      firewallRules(options),
      /ip daddr \{ 10.0.0.2 \} meta l4proto \{ tcp, udp \} th dport 53 accept/,
    );
    assert.doesNotMatch(firewallRules({ ...options, nameServers: [] }), /dport/);
  });
});
