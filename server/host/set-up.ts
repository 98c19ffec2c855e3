// Prepares the machine; called by bootstrap.sh as root, one at a time. Idempotent, and says only what it changes.
//   node server/host/set-up.ts start|demo|test|bench
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { ensureBaseSystem } from './base-system.ts';
import { checkKernel, complaint } from './checks.ts';
import { parseOsRelease } from './mirrors.ts';
import { ensurePackages, neededPackages, type Purpose } from './packages.ts';
import { tryProgram } from './program.ts';
import { ensurePlatformUser } from './system-user.ts';

try {
  await setUp((process.argv[2] ?? 'start') as Purpose);
} catch (error) {
  const expected = error instanceof PaasError;
  process.stderr.write(`paas: ${expected ? error.message : (error as Error).stack}\n`);
  process.exit(1);
}

async function setUp(purpose: Purpose): Promise<void> {
  // First what cannot be installed, so that nothing is done in vain.
  const failed = (await checkKernel()).filter((check) => !check.ok);
  if (failed.length > 0) throw new PaasError('unavailable', failed.map(complaint).join('\npaas: '));
  const distribution = parseOsRelease(readFileSync('/etc/os-release', 'utf8')).ID ?? '';
  await ensurePackages(
    neededPackages(purpose, { distribution, redis: !process.env.REDIS_URL || purpose !== 'start' }),
  );
  await ensurePlatformUser();
  await ensureBaseSystem();
  // Into root's cache, for main and the runtime.
  await tryProgram([process.execPath, join(import.meta.dirname, '..', 'precompile.ts')]);
}
