import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { instanceTag } from '../../../runtime/containers/instance-tag.ts';
import { linksIn, openFiles } from '../../fixtures/open-files.ts';
import { childrenOf, residentMemory } from './memory-of.ts';

/** What an instance's runtime has on this machine, by name; what is made in advance follows demand: count when that has come to rest. */
export function countObjects(runtime: { pid: number; root: string }): Record<string, number> {
  const tag = instanceTag(join(runtime.root, 'run'));
  const zygotes = childrenOf(runtime.pid);
  return {
    descriptors: openFiles(runtime.pid).length,
    'descriptors of the zygote': zygotes.reduce((sum, pid) => sum + openFiles(pid).length, 0),
    mounts: lineCount(`/proc/${runtime.pid}/mountinfo`),
    'processes of the zygote': zygotes.reduce((sum, pid) => sum + childrenOf(pid).length, 0),
    'namespaces of them': namespacesOf(zygotes.flatMap(childrenOf)),
    cgroups: folderCount(`paas-${tag}`),
    'removed cgroups that are kept': keptCgroups(),
    'veth interfaces': readdirSync('/sys/class/net').filter((name) => name.startsWith(`v${tag}-`)).length,
    'routes to addresses': output('ip', ['-o', 'route']).split(`dev v${tag}-`).length - 1,
    'elements in nftables': elementCount(`paas_${tag}`),
    'folders of containers': readdirSync(join(runtime.root, 'data/runtime/containers')).length,
    'files of output': readdirSync(join(runtime.root, 'data/runtime/output')).length,
    'in the trash': readdirSync(join(runtime.root, 'data/runtime/trash')).length,
    'resident memory, KB': residentMemory(runtime.pid),
    'of the zygote, KB': zygotes.reduce((sum, pid) => sum + residentMemory(pid), 0),
  };
}

function namespacesOf(pids: number[]): number {
  return new Set(pids.flatMap((pid) => linksIn(`/proc/${pid}/ns`))).size;
}

function lineCount(file: string): number {
  return readFileSync(file, 'utf8').split('\n').length - 1;
}

/** In every hierarchy, of cgroup v1 as of v2. */
function folderCount(name: string): number {
  return output('find', ['/sys/fs/cgroup', '-mindepth', '2', '-type', 'd', '-path', `*/${name}/*`])
    .split('\n')
    .filter(Boolean).length;
}

/** By the kernel, on the whole machine, for what was charged to them: kernel documentation, admin-guide/cgroup-v2 ("dying"). */
function keptCgroups(): number {
  const v2 = '/sys/fs/cgroup/cgroup.stat';
  if (existsSync(v2)) return Number(/^nr_dying_descendants (\d+)$/m.exec(readFileSync(v2, 'utf8'))![1]);
  const known = Number(/^memory\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/cgroups', 'utf8'))![1]);
  return known - output('find', ['/sys/fs/cgroup/memory', '-type', 'd']).trim().split('\n').length;
}

function elementCount(table: string): number {
  const { nftables } = JSON.parse(output('nft', ['-j', 'list', 'table', 'inet', table]));
  return (nftables as Record<string, { elem?: unknown[] }>[])
    .flatMap((item) => Object.values(item))
    .reduce((sum, { elem }) => sum + (elem?.length ?? 0), 0);
}

function output(program: string, args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', maxBuffer: 64 << 20 });
}
