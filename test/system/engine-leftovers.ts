import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { openCgroups } from '../../runtime/cgroups/cgroups.ts';
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
    ...processesOfGroups(root)
      .filter(({ id }) => !running.some(({ Id }) => Id === id))
      .map(({ id, pid }) => `process ${pid} of ${id}`),
    ...readdirSync(folder('containers'))
      .filter((id) => !known.has(id))
      .map((id) => `folder of ${id}`),
    ...readdirSync(folder('output'))
      .filter((id) => !known.has(id.slice(0, 64)))
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

/** What the kernel has of an instance that has been taken down. */
export function kernelTraces(root: string): string[] {
  const tag = instanceTag(join(root, 'run'));
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).split('\n');
  return [
    ...readdirSync('/sys/class/net').filter((name) => name.includes(tag)),
    ...tables.filter((table) => table.includes(tag)),
    ...mountsBelow(root),
    ...loopFilesBelow(root),
    ...execFileSync('find', ['/sys/fs/cgroup', '-name', `*${tag}*`], { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean),
  ];
}

function processesOfGroups(root: string): { id: string; pid: string }[] {
  const cgroups = openCgroups(instanceTag(join(root, 'run')));
  const hierarchy = cgroups.version === 2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/pids';
  return cgroups.list().flatMap((id) => {
    const file = join(hierarchy, `paas-${instanceTag(join(root, 'run'))}`, id, 'cgroup.procs');
    const pids = existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
    return pids.map((pid) => ({ id, pid }));
  });
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
