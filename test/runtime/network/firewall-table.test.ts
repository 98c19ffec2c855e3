import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { firewallTable } from '../../../runtime/network/firewall-table.ts';

describe('firewallTable()', () => {
  const options = { tag: 'abcdef', subnet: '172.30.0.0/16', dnsPort: 20_053, publicAddresses: [] };
  const chain = (name: string, text = firewallTable(options)) =>
    new RegExp(`chain ${name} \\{(.*?)\\n {2}\\}`, 's').exec(text)![1]!;

  it('ends what comes from containers to the host with a drop', () => {
    assert.match(chain('to_host'), /iifname != "vabcdef-\*" accept/);
    assert.match(chain('to_host'), /drop\s*$/);
  });

  it('ends what goes from container to container with a drop', () => {
    assert.match(chain('between'), /ip saddr vmap @peers\s+drop\s*$/);
  });

  it('sees each new connection of a container once, as nat does, before anybody may send it elsewhere', () => {
    assert.match(chain('opened'), /type nat hook prerouting priority dstnat - 10;/);
    const table = firewallTable({ ...options, connectionsPerSecond: 500 });
    assert.match(chain('opened', table), /limit rate over 500\/second burst 2000 packets \} drop/);
  });

  it('lets containers reach the platform where everybody does', () => {
    const publicAddresses = [
      { host: '0.0.0.0', port: 80 },
      { host: '192.0.2.1', port: 8443 },
      { host: '127.0.0.1', port: 8080 },
    ];
    const table = firewallTable({ ...options, publicAddresses });
    assert.match(chain('to_host', table), /^ +tcp dport 80 accept/m);
    assert.match(chain('to_host', table), /^ +ip daddr 192\.0\.2\.1 tcp dport 8443 accept/m);
    assert.doesNotMatch(table, /8080/);
  });
});
