import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { instanceTag } from '../../runtime/containers/instance-tag.ts';

/** What of an instance is on the machine and belongs to no container that its runtime knows, in words. `root`: its folder. */
export async function leftovers(docker: Docker, root: string): Promise<string[]> {
  const containers = await docker.listContainers({ all: true });
  const images = await docker.listImages({ all: true });
  const known = new Set(containers.map(({ Id }) => Id));
  const running = containers.filter(({ State }) => State === 'running' || State === 'paused');
  const addresses = running.flatMap((info) => addressesOf(info));
  const folder = (name: string) => join(root, 'data', 'runtime', name);
  return [
    ...(await strayProcesses(docker, { root, running: running.map(({ Id }) => Id) })),
    ...readdirSync(folder('containers'))
      .filter((id) => !known.has(id) && !isReady(join(folder('containers'), id)))
      .map((id) => `folder of ${id}`),
    ...readdirSync(folder('output'))
      .filter((id) => !known.has(id.slice(0, 64)) && !isMadeAhead(join(folder('containers'), id)))
      .map((id) => `output of ${id}`),
    ...addresses
      .filter((address, at) => addresses.indexOf(address) !== at)
      .map((address) => `${address} twice`),
    ...mountsBelow(root).map((mount) => `mount ${mount}`),
    ...loopFilesBelow(root)
      .filter((file) => !running.some(({ Id }) => file.includes(Id)))
      .map((file) => `loop device of ${file}`),
    ...(containers.length === 0 && images.length === 1 ? unusedLayers(folder('layers')) : []),
  ];
}

/** Such a folder that is there, and so may be the file for its output. */
function isMadeAhead(folder: string): boolean {
  return existsSync(folder) && isReady(folder);
}

/** Whether a container's folder was made in advance, or is being made, and nothing has begun in it; or it is gone meanwhile. */
function isReady(folder: string): boolean {
  const isNew = (name: string) => name === 'exit' && statSync(join(folder, name)).size === 0;
  try {
    return readdirSync(folder).every(isNew);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return true;
  }
}

/** What the kernel has of an instance that has been taken down. */
export function kernelTraces(root: string): string[] {
  const tag = instanceTag(join(root, 'run'));
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).split('\n');
  return [
    ...readdirSync('/sys/class/net').filter((name) => name.includes(tag)),
    ...tables.filter((table) => table.includes(tag)),
    ...mountsBelow(root),
    ...loopFilesBelow(root),
    ...spawnSync('find', ['/sys/fs/cgroup', '-name', `*${tag}*`], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter(Boolean),
  ];
}

/** The control groups of the instance with this PAAS_RUN that are one of these, or have a process that waits for no container. */
export function usedGroups(run: string, groups: Set<string>): string[] {
  return processGroups(run)
    .filter(({ name, pids }) => groups.has(name) || (pids.length > 0 && !isParked(pids)))
    .map(({ name }) => name);
}

/** Those in a control group in which there is no process of a running container, but for one that waits for a container. */
async function strayProcesses(
  docker: Docker,
  { root, running }: { root: string; running: string[] },
): Promise<string[]> {
  const infos = await Promise.all(running.map((id) => docker.getContainer(id).inspect()));
  const known = new Set(infos.map(({ State }) => State.Pid));
  return processGroups(join(root, 'run'))
    .filter(({ pids }) => !pids.some((pid) => known.has(pid)) && !isParked(pids))
    .flatMap(({ pids }) => pids)
    .map((pid) => `process ${pid}`);
}

/** The processes that wait for a container. */
export function parkedProcesses(root: string): number[] {
  return processGroups(join(root, 'run')).flatMap(({ pids }) => (isParked(pids) ? pids : []));
}

/** Our init alone, in a call of recvmsg(2). */
function isParked(pids: number[]): boolean {
  const RECVMSG = '47';
  try {
    return pids.length === 1 && readFileSync(`/proc/${pids[0]}/syscall`, 'utf8').split(' ')[0] === RECVMSG;
  } catch {
    return false;
  }
}

/** The control groups of an instance, in whichever hierarchy, and the processes in them; one that is not in a container's group yet counts as a group of its own. */
function processGroups(run: string): { name: string; pids: number[] }[] {
  const tag = instanceTag(run);
  const tops = ['.', ...readdirSync('/sys/fs/cgroup')].map((name) =>
    join('/sys/fs/cgroup', name, `paas-${tag}`),
  );
  const names = tops
    .filter((top) => existsSync(top))
    .flatMap((top) => readdirSync(top, { withFileTypes: true }))
    .filter((entry) => entry.isDirectory() && entry.name !== ZYGOTE)
    .map(({ name }) => name);
  const pidsOf = (name: string) => [
    ...new Set(tops.flatMap((top) => pidsIn(join(top, name, 'cgroup.procs')))),
  ];
  const groups = [...new Set(names)].map((name) => ({ name, pids: pidsOf(name) }));
  const inside = new Set(groups.flatMap(({ pids }) => pids));
  const outside = pidsOf(ZYGOTE).filter((pid) => !inside.has(pid) && isFirst(pid));
  return [...groups, ...outside.map((pid) => ({ name: ZYGOTE, pids: [pid] }))];
}

const ZYGOTE = 'zygote';

/** Whether it is the first of a process namespace other than ours. */
function isFirst(pid: number): boolean {
  try {
    return /^NSpid:.*\t\d+\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

function pidsIn(file: string): number[] {
  try {
    return readFileSync(file, 'utf8').split('\n').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function addressesOf(info: Docker.ContainerInfo): string[] {
  return Object.values(info.NetworkSettings?.Networks ?? {})
    .map(({ IPAddress }) => IPAddress)
    .filter(Boolean);
}

function mountsBelow(root: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(root));
}

function loopFilesBelow(root: string): string[] {
  return readdirSync('/sys/block').flatMap((name) => {
    const path = join('/sys/block', name, 'loop/backing_file');
    const file = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
    return file.startsWith(root) ? [file] : [];
  });
}

/** The base system is a layer; once there is no container and no other image, it is the only one. */
function unusedLayers(folder: string): string[] {
  const layers = readdirSync(folder);
  return layers.length > 1 ? [`${layers.length} layers for one image`] : [];
}
