// Prints what the platform needs of this machine and whether it is there:  node server/host/doctor.ts [--json]
import { PaasError } from '../../deploy/model/paas-error.ts';
import { parseConfig } from '../config.ts';
import { checkHost } from './checks.ts';
import { withInstalledSettings } from './systemd.ts';

const isRoot = process.getuid?.() === 0;
try {
  const checks = await checkHost(parseConfig(isRoot ? withInstalledSettings(process.env) : process.env));
  if (process.argv.includes('--json')) {
    process.stdout.write(`${JSON.stringify(checks)}\n`);
  } else {
    const lines = checks.map(
      ({ name, ok, detail, remedy }) =>
        `${ok ? 'ok     ' : 'MISSING'}  ${name.padEnd(12)} ${detail}${remedy && `. ${remedy}`}\n`,
    );
    process.stdout.write(lines.join(''));
  }
  process.exitCode = checks.every((check) => check.ok) ? 0 : 1;
} catch (error) {
  process.stderr.write(`paas: ${error instanceof PaasError ? error.message : (error as Error).stack}\n`);
  process.exitCode = 1;
}
