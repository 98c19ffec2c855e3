import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'mocha';

const SCRIPT = join(import.meta.dirname, '../../../server/host/bootstrap.sh');

describe('bootstrap.sh', () => {
  let checkout: string;
  let node: string;

  beforeEach(() => {
    checkout = mkdtempSync(join(tmpdir(), 'paas-test-'));
    cpSync(SCRIPT, join(checkout, 'server/host/bootstrap.sh'));
    writeFileSync(join(checkout, 'package-lock.json'), '{}');
    node = join(checkout, `node_modules/node-linux-${process.arch}/bin/node`);
    mkdirSync(join(node, '..'), { recursive: true });
    mkdirSync(join(checkout, 'tools'));
    const npm = `#!/bin/sh\nprintf '#!/bin/sh\\necho installed "$@"\\n' >${node}\nchmod +x ${node}\n`;
    writeFileSync(join(checkout, 'tools/npm'), npm, { mode: 0o755 });
  });

  afterEach(() => {
    rmSync(checkout, { recursive: true });
  });

  const doctor = () =>
    execFileSync('sh', [join(checkout, 'server/host/bootstrap.sh'), 'doctor'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, PATH: `${join(checkout, 'tools')}:${process.env.PATH}` },
    });

  it('leaves packages alone that are there', () => {
    writeFileSync(node, '#!/bin/sh\necho as before "$@"\n', { mode: 0o755 });
    writeFileSync(join(checkout, 'node_modules/.package-lock.json'), '{}');
    assert.equal(doctor(), 'as before server/host/doctor.ts\n');
  });

  it('installs them anew where a power cut left names without content', () => {
    writeFileSync(node, '', { mode: 0o755 });
    writeFileSync(join(checkout, 'node_modules/.package-lock.json'), '{}');
    assert.equal(doctor(), 'installed server/host/doctor.ts\n');
  });
});
