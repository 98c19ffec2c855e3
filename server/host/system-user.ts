import { readFileSync } from 'node:fs';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { runProgram } from './program.ts';

export interface SystemUser {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

/** The user that control, router and Redis run as. */
export const PLATFORM_USER = 'paas';

/** Looks a user up in /etc/passwd. */
export function findUser(name: string): SystemUser | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const fields = line?.split(':');
  return fields && { name, uid: Number(fields[2]), gid: Number(fields[3]), home: fields[5] ?? '/' };
}

/** The platform's user. Throws `unavailable` when set-up has not made it. */
export function platformUser(): SystemUser {
  const user = findUser(PLATFORM_USER);
  if (user) return user;
  throw new PaasError(
    'unavailable',
    `There is no system user "${PLATFORM_USER}". Make it with: sudo npm start`,
  );
}

/** Makes the platform's user, unless it is there. */
export async function ensurePlatformUser(): Promise<void> {
  if (findUser(PLATFORM_USER)) return;
  process.stderr.write(
    `paas: adding the system user "${PLATFORM_USER}" (the platform's processes but one run as it)\n`,
  );
  await runProgram(`add the system user "${PLATFORM_USER}"`, [
    ...['useradd', '--system', '--user-group', '--no-create-home', '--home-dir', '/nonexistent'],
    ...['--shell', '/usr/sbin/nologin', PLATFORM_USER],
  ] as [string, ...string[]]);
}
