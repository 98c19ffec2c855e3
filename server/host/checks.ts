import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import type { Address, Config } from '../config.ts';
import { overlapping, parseRoutes, type Route, routesOfHost } from '../host-networks.ts';
import { baseSystemFolder } from './base-system.ts';
import { mainSocket } from './main-socket.ts';
import { parseOsRelease } from './mirrors.ts';
import { missingPackages, neededPackages } from './packages.ts';
import { portHolder } from './port-holder.ts';
import { tryProgram } from './program.ts';
import { findUser, PLATFORM_USER } from './system-user.ts';

/** One thing that the platform needs of the machine. */
export interface Check {
  name: string;
  ok: boolean;
  /** What was found, e.g. `6.1.0-18-amd64`. */
  detail: string;
  /** What to do when it is not ok, else empty. */
  remedy: string;
}

/**
 * Everything that the platform needs: kernel, programs, base system, room, ports. Changes nothing. Works as any user; some
 * things only root can find out, the others then count as ok with "not checked" as detail. `isHeld`: of this process already.
 */
export async function checkHost(
  config: Config,
  isHeld: (address: Address) => boolean = () => false,
): Promise<Check[]> {
  return [
    ...(await checkKernel(config.data)),
    ...checkInstalled(config),
    await checkRoom(config.data),
    await checkDiskLimit(config.diskLimit),
    checkSubnet(config.subnet, routesOfHost(parseRoutes(readIfThere('/proc/net/route')))),
    ...(await checkPorts(config, isHeld)),
  ];
}

/** The kernel's part, which no set-up can install. `folder`: where the containers' files will be. */
export async function checkKernel(folder = '/var/lib/paas'): Promise<Check[]> {
  return [
    checkProcessor(process.arch),
    checkVersion(release()),
    await checkNamespaces(),
    await checkOverlay(folder),
    await checkNftables(),
    checkCgroups(readFileSync('/proc/self/mounts', 'utf8'), readIfThere('/sys/fs/cgroup/cgroup.controllers')),
  ];
}

/** A failed check as one line: what is missing and how to get it. */
export function complaint(check: Check): string {
  return `${check.name}: ${check.detail}. ${check.remedy}`;
}

function checkProcessor(arch: string): Check {
  const detail = arch === 'x64' ? 'x86-64' : `${arch}: containers run on x86-64 only for now`;
  return check('processor', arch === 'x64', detail, { remedy: 'Use a machine with an x86-64 processor.' });
}

/** Kernel 6.1, Debian 12's, is the oldest that we know to work. */
export function checkVersion(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const ok = major > 6 || (major === 6 && minor >= 1);
  return check('kernel', ok, ok ? version : `Linux ${version} is too old, 6.1 or later is needed`, {
    remedy:
      'Debian 12 and Ubuntu 24.04 have it; on Ubuntu 22.04: apt-get install linux-generic-hwe-22.04, then reboot.',
  });
}

/** Looks for the controllers in the mount table (v1) and in cgroup.controllers (v2). */
export function checkCgroups(mounts: string, controllersV2: string): Check {
  const v1 = mounts
    .split('\n')
    .filter((line) => line.split(' ')[2] === 'cgroup')
    .flatMap((line) => line.split(' ')[3]?.split(',') ?? []);
  const v2 = controllersV2.trim().split(/\s+/);
  const missing = ['memory', 'cpu', 'pids'].filter((name) => !v1.includes(name) && !v2.includes(name));
  const version = v2.includes('memory') ? 'v2' : 'v1';
  const detail =
    missing.length > 0 ? `no controller for ${missing.join(', ')}` : `${version}: memory, cpu, pids`;
  return check('cgroups', missing.length === 0, detail, {
    remedy:
      'Boot the kernel with "cgroup_enable=memory swapaccount=1" (in /etc/default/grub, then update-grub), or use a virtual machine whose kernel is its own.',
  });
}

async function checkNamespaces(): Promise<Check> {
  const missing = ['mnt', 'pid', 'net', 'uts', 'ipc', 'cgroup'].filter(
    (name) => !existsSync(`/proc/self/ns/${name}`),
  );
  const remedy =
    'Containers need namespaces: use a real or virtual machine with a kernel of its own, not a container.';
  if (missing.length > 0)
    return check('namespaces', false, `the kernel has none of ${missing.join(', ')}`, { remedy });
  if (!isRoot()) return check('namespaces', true, NOT_CHECKED);
  const kinds = ['--mount', '--pid', '--net', '--uts', '--ipc', '--cgroup'];
  const made = await tryProgram(['unshare', ...kinds, '--fork', '--', '/bin/true']);
  return check(
    'namespaces',
    made.status === 0,
    made.status === 0 ? 'can be made' : `cannot be made (${made.stderr})`,
    {
      remedy,
    },
  );
}

async function checkOverlay(folder: string): Promise<Check> {
  if (isRoot() && !hasOverlay()) await tryProgram(['modprobe', 'overlay']);
  const remedy = 'Use a kernel with overlayfs (every kernel of Debian and Ubuntu has it).';
  if (!hasOverlay() && isRoot()) return check('overlayfs', false, 'the kernel has none', { remedy });
  if (!isRoot()) return check('overlayfs', true, NOT_CHECKED);
  const tried = await tryOverlay(folder);
  return check('overlayfs', tried === '', tried || 'can be mounted', {
    remedy: `Put PAAS_DATA on a file system that can hold one (ext4, xfs, btrfs), not on another overlay; and ${remedy.slice(0, 1).toLowerCase()}${remedy.slice(1)}`,
  });
}

// In a mount namespace that ends with the program: nothing is left mounted.
async function tryOverlay(folder: string): Promise<string> {
  const parent = nearestFolder(folder);
  const scratch = await mkdtemp(join(parent, '.paas-check-'));
  try {
    for (const name of ['lower', 'upper', 'work', 'merged']) await mkdir(join(scratch, name));
    const at = (name: string) => join(scratch, name);
    const options = `lowerdir=${at('lower')},upperdir=${at('upper')},workdir=${at('work')}`;
    const mount = ['mount', '-t', 'overlay', 'overlay', '-o', options, at('merged')];
    const result = await tryProgram(['unshare', '--mount', '--', ...mount] as [string, ...string[]]);
    return result.status === 0 ? '' : `cannot be mounted below ${parent} (${result.stderr})`;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** A disk of its own for each container needs a loop device. */
async function checkDiskLimit(limit: number): Promise<Check> {
  if (limit === 0) return check('disk limit', true, 'none (PAAS_DISK_LIMIT=0)');
  if (isRoot() && !existsSync('/dev/loop-control')) await tryProgram(['modprobe', 'loop']);
  const ok = existsSync('/dev/loop-control') && existsSync('/sbin/mke2fs');
  const detail = ok ? `${limit / 1024 ** 2} MB for each dyno` : 'no loop devices, or no mke2fs';
  return check('disk limit', ok, detail, {
    remedy:
      'Dynos get disks of a limited size by the kernel’s module "loop" and the package e2fsprogs; or set PAAS_DISK_LIMIT=0.',
  });
}

async function checkNftables(): Promise<Check> {
  if (!isRoot()) return check('nftables', true, NOT_CHECKED);
  await tryProgram(['modprobe', 'nf_tables']);
  // Before nft itself is installed: the kernel's netlink family answers by this file (nf_tables, with or without modules).
  if (!existsSync('/usr/sbin/nft')) return check('nftables', true, 'checked after the installation of nft');
  const tried = await tryProgram(['/usr/sbin/nft', '--check', TRIAL_RULES]);
  return check(
    'nftables',
    tried.status === 0,
    tried.status === 0 ? 'answers' : `cannot be used (${tried.stderr})`,
    {
      remedy:
        'Use a kernel with nf_tables and CONFIG_NF_CONNTRACK_TIMEOUT (every kernel of Debian and Ubuntu has both; a new one needs a reboot first).',
    },
  );
}

/** What not every kernel knows of what the runtime's table has (runtime/network/firewall-table.ts). */
const TRIAL_RULES =
  'add table inet paas_check; add ct timeout inet paas_check brief { protocol tcp; policy = { time_wait : 10 }; }';

function checkInstalled(config: Config): Check[] {
  const distribution = parseOsRelease(readIfThere('/etc/os-release')).ID ?? '';
  const missing = missingPackages(neededPackages('start', { distribution, redis: !config.redisUrl }));
  const base = baseSystemFolder();
  return [
    check('packages', missing.length === 0, missing.map((wanted) => wanted.name).join(', ') || 'all there', {
      remedy: `Install them: apt-get install ${missing.map((wanted) => wanted.name).join(' ')} (sudo npm start does it).`,
    }),
    check('system user', findUser(PLATFORM_USER) !== undefined, PLATFORM_USER, {
      remedy: 'There is none of this name; sudo npm start makes it.',
    }),
    check('base system', existsSync(base), base, { remedy: 'It is not there; sudo npm start makes it.' }),
  ];
}

async function checkRoom(folder: string): Promise<Check> {
  const parent = nearestFolder(folder);
  const { bavail, bsize, ffree, files } = await statfs(parent);
  const megabytes = Math.floor((bavail * bsize) / 2 ** 20);
  const ok = megabytes >= 500 && (files === 0 || ffree >= 10_000);
  const detail = `${(megabytes / 1024).toFixed(1)} GB and ${ffree} inodes free in ${parent}`;
  return check('disk', ok, detail, {
    remedy: 'An app takes 50 to 500 MB: make room, or set PAAS_DATA to a larger disk.',
  });
}

/** Machines whose addresses the containers' hide are cut off from this one: the operator's, too. */
export function checkSubnet(subnet: string, routes: Route[]): Check {
  const shared = overlapping(routes, subnet).map(({ network, device }) => `${network} (${device})`);
  const ok = shared.length === 0;
  const detail = ok ? subnet : `${subnet} has addresses of a network of this machine: ${shared.join(', ')}`;
  const free = OTHER_SUBNETS.find((other) => overlapping(routes, other).length === 0);
  return check('subnet', ok, detail, {
    remedy: `Give the containers others with PAAS_SUBNET${free ? `, e.g. PAAS_SUBNET=${free}` : ''}.`,
  });
}

/** Of the ranges for private use (RFC 1918) and for providers (RFC 6598) what is not often taken. */
const OTHER_SUBNETS = [
  '172.30.0.0/16',
  '172.31.0.0/16',
  '10.213.0.0/16',
  '192.168.192.0/20',
  '100.99.0.0/16',
];

async function checkPorts(config: Config, isHeld: (address: Address) => boolean): Promise<Check[]> {
  if (await isRunning(config)) return [check('ports', true, 'held by this platform, which runs')];
  const wanted = [
    { setting: 'PAAS_HTTP', address: config.http, otherwise: '0.0.0.0:8080' },
    ...(config.https ? [{ setting: 'PAAS_HTTPS', address: config.https, otherwise: 'off' }] : []),
    ...(config.metrics ? [{ setting: 'PAAS_METRICS', address: config.metrics, otherwise: 'off' }] : []),
    { setting: 'PAAS_SSH', address: config.ssh, otherwise: '0.0.0.0:2223' },
  ];
  return Promise.all(
    wanted.map(async ({ setting, address, otherwise }) => {
      const problem = isHeld(address) ? '' : await listenProblem(address);
      const shown = `${address.host}:${address.port}`;
      const detail =
        problem === 'EADDRINUSE' ? `${shown} is taken${portHolder(address.port)}` : `${shown}: ${problem}`;
      return check(`port ${address.port}`, problem === '', problem ? detail : `${shown} is free`, {
        remedy: `Stop what uses it, or choose another with ${setting}, e.g. ${setting}=${otherwise}`,
      });
    }),
  );
}

/** Whether a platform with these settings runs (its main process answers). */
export function isRunning(config: Pick<Config, 'run'>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(mainSocket(config));
    socket.on('connect', () => socket.destroy()).on('connect', () => resolve(true));
    // The socket is root's: for others "denied" means that it is there.
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'EACCES'));
  });
}

function listenProblem(address: { host: string; port: number }): Promise<string> {
  if (address.port > 0 && address.port < 1024 && !isRoot()) return Promise.resolve('');
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ ...address, exclusive: true }, () => server.close(() => resolve('')));
  });
}

const NOT_CHECKED = 'not checked (only root can)';

function check(name: string, ok: boolean, detail: string, { remedy = '' } = {}): Check {
  return { name, ok, detail, remedy: ok ? '' : remedy };
}

function hasOverlay(): boolean {
  return /\boverlay$/m.test(readFileSync('/proc/filesystems', 'utf8'));
}

function nearestFolder(path: string): string {
  return existsSync(path) ? path : nearestFolder(dirname(path));
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function readIfThere(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
