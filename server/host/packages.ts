import { accessSync, existsSync, readdirSync, statSync } from 'node:fs';
import { PaasError } from '../../deploy/model/paas-error.ts';
import { runProgram, tryProgram } from './program.ts';
import { withProgress } from './progress.ts';
import { ServicePolicy } from './service-policy.ts';

/** A Debian package that we need. */
export interface HostPackage {
  name: string;
  /** Files that are there when it is installed. */
  files: string[];
  why: string;
}

/** What the machine is prepared for. */
export type Purpose = 'start' | 'demo' | 'test' | 'bench';

/** The packages that a purpose needs on this distribution (`id` of os-release). */
export function neededPackages(
  purpose: Purpose,
  options: { distribution: string; redis: boolean },
): HostPackage[] {
  const needed = [...PLATFORM];
  if (options.redis) needed.push(REDIS);
  if (options.distribution !== 'debian') needed.push(KEYRING);
  if (purpose !== 'start') needed.push(SSH);
  // Ubuntu's chromium is a snap, and it has no docker-compose 1.29 any more: their tests are skipped there.
  if (purpose === 'test') needed.push(IPTABLES);
  if (purpose === 'test' && options.distribution === 'debian') needed.push(CHROMIUM, COMPOSE);
  return needed;
}

/** Those of `packages` whose files are not all there. */
export function missingPackages(packages: HostPackage[]): HostPackage[] {
  return packages.filter((wanted) => !wanted.files.every((file) => existsSync(file)));
}

/**
 * Installs what is missing of `packages`, says what and why; first ends what a set-up that was killed had begun. Leaves no
 * service running or enabled that was not so before. Throws `unavailable` when it cannot.
 */
export async function ensurePackages(packages: HostPackage[], policy = new ServicePolicy()): Promise<void> {
  await finishInterrupted(policy);
  const missing = missingPackages(packages);
  if (missing.length === 0) return;
  const names = missing.map((wanted) => wanted.name);
  if (!existsSync('/usr/bin/apt-get')) {
    throw new PaasError(
      'unavailable',
      `This machine lacks ${names.join(', ')}, and has no apt-get to install them. Install them, then run this again.`,
    );
  }
  process.stderr.write(
    `paas: this machine lacks some packages of its distribution; installing:\n${missing
      .map((wanted) => `  ${wanted.name.padEnd(24)} ${wanted.why}\n`)
      .join('')}`,
  );
  await policy.during(names, () => install(names).finally(() => keepServicesOff(names)));
  const still = missingPackages(missing).map((wanted) => wanted.name);
  if (still.length > 0) {
    throw new PaasError('unavailable', `apt-get installed ${still.join(', ')}, but not what we need of it.`);
  }
}

const PLATFORM: HostPackage[] = [
  { name: 'git', files: ['/usr/bin/git'], why: 'receives the pushes' },
  { name: 'nftables', files: ['/usr/sbin/nft'], why: "the apps' network: address translation and firewall" },
  {
    name: 'e2fsprogs',
    files: ['/sbin/mke2fs', '/sbin/e2fsck'],
    why: 'makes the disks of limited size that the apps write to',
  },
  {
    name: 'mmdebstrap',
    files: ['/usr/bin/mmdebstrap'],
    why: 'makes the base system (Debian 12) of the apps',
  },
  { name: 'gcc', files: ['/usr/bin/gcc'], why: "compiles the containers' init (a small C program)" },
  { name: 'libc6-dev', files: ['/usr/include/stdio.h'], why: 'the same' },
  {
    name: 'ca-certificates',
    files: ['/etc/ssl/certs/ca-certificates.crt'],
    why: 'the certificates that builds trust',
  },
];
const REDIS: HostPackage = {
  name: 'redis-server',
  files: ['/usr/bin/redis-server'],
  why: 'queue of the builds; we start our own, the system service stays off',
};
const KEYRING: HostPackage = {
  name: 'debian-archive-keyring',
  files: ['/usr/share/keyrings/debian-archive-keyring.gpg'],
  why: "checks the base system's signatures",
};
const SSH: HostPackage = {
  name: 'openssh-client',
  files: ['/usr/bin/ssh', '/usr/bin/ssh-keygen'],
  why: 'pushes and commands, as a user would give them',
};
const CHROMIUM: HostPackage = {
  name: 'chromium',
  files: ['/usr/bin/chromium'],
  why: 'the tests of the dashboard',
};

const IPTABLES: HostPackage = {
  name: 'iptables',
  files: ['/usr/sbin/iptables'],
  why: 'the tests beside firewalls of others',
};

const COMPOSE: HostPackage = {
  name: 'docker-compose',
  files: ['/usr/bin/docker-compose'],
  why: 'the test that it brings an application up on our runtime',
};

// Should dpkg refuse (an apt of that set-up still runs), the policy stays, and the next set-up comes here again.
async function finishInterrupted(policy: ServicePolicy): Promise<void> {
  const names = policy.interrupted();
  if (!names) return;
  process.stderr.write(
    `paas: an earlier set-up was killed while it installed ${names.join(', ')}; finishing that\n`,
  );
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  await runProgram('finish an interrupted installation', ['dpkg', '--configure', '-a'], { env });
  await keepServicesOff(names);
  policy.remove();
}

async function install(names: string[]): Promise<void> {
  const env = { DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_MODE: 'l' };
  // Fresh servers are often busy with their first upgrade: wait for dpkg's lock.
  const apt = ['apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=600'] as const;
  const update = () =>
    withProgress('reading the package lists (apt-get update)', (onLine) =>
      tryProgram([...apt, 'update'], { env, onLine }),
    );
  const listsAreOld = !hasRecentLists();
  if (listsAreOld) await update();
  await withProgress(`installing ${names.join(', ')}`, async (onLine) => {
    const argv: [string, ...string[]] = [...apt, 'install', '--no-install-recommends', ...names];
    const first = await tryProgram(argv, { env, onLine });
    if (first.status === 0) return;
    if (!listsAreOld) await update();
    await runProgram(`install ${names.join(', ')} (is there a network?)`, argv, { env, onLine });
  });
}

function hasRecentLists(): boolean {
  const folder = '/var/lib/apt/lists';
  if (
    !existsSync(folder) ||
    !readdirSync(folder).some((name) => name.endsWith('_Packages') || /_Packages\./.test(name))
  ) {
    return false;
  }
  return Date.now() - statSync(folder).mtimeMs < 24 * 3600_000;
}

async function keepServicesOff(packages: string[]): Promise<void> {
  if (packages.includes(REDIS.name)) await disableService('redis-server');
}

async function disableService(name: string): Promise<void> {
  if (isExecutable('/usr/bin/systemctl')) await tryProgram(['systemctl', '--quiet', 'disable', name]);
  else if (isExecutable('/usr/sbin/update-rc.d'))
    await tryProgram(['/usr/sbin/update-rc.d', name, 'disable']);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, 1);
    return true;
  } catch {
    return false;
  }
}
