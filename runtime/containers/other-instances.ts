import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasProcesses } from '../cgroups/cgroups.ts';
import { EngineError } from '../engine-error.ts';
import { Subnet } from '../network/subnet.ts';
import { INSTANCES, InstanceClaim, type InstanceRecord, soon } from './instance-claim.ts';
import { instanceTag } from './instance-tag.ts';

/**
 * Takes away what dead instances have in the kernel: control groups, firewall, route, processes that nobody can take up. Dead is one
 * - whose lock nobody holds: no runtime runs for it; and
 * - of which no process is left, or whose folder of records is gone.
 * Were its owner to start it once more, it would make all of that again. `remove`: takes one away, and its claim.
 * Returns the instances' PAAS_RUN.
 */
export async function removeDeadInstances(
  remove: (instance: InstanceRecord, claim: InstanceClaim) => Promise<void>,
  folder = INSTANCES,
): Promise<string[]> {
  const removed: string[] = [];
  for (const tag of tagsIn(folder)) {
    const claim = InstanceClaim.try(folder, tag);
    if (!claim) continue;
    try {
      const record = readRecord(join(folder, tag), tag);
      if (!record) claim.forget();
      else if (isDead(record, tag)) {
        await remove(record, claim);
        removed.push(record.run);
      }
    } catch (error) {
      console.error(`What a dead instance left (${join(folder, tag)}) cannot be taken away:`, error);
    } finally {
      claim.close();
    }
  }
  return removed;
}

/** Throws `conflict` if another instance that is not dead has addresses of this one's subnet: no container of either could start while the other has its address. */
export async function refuseSharedSubnet(instance: InstanceRecord, folder = INSTANCES): Promise<void> {
  const own = instanceTag(instance.run);
  const subnet = new Subnet(instance.subnet);
  for (const tag of tagsIn(folder)) {
    const other = tag === own ? undefined : readRecord(join(folder, tag), tag);
    if (!other || !subnet.overlaps(new Subnet(other.subnet))) continue;
    // What was killed takes the kernel a moment.
    if (await soon(() => !isAlive(other, { tag, folder }) || undefined)) continue;
    throw new EngineError(
      'conflict',
      `PAAS_SUBNET ${instance.subnet} overlaps with ${other.subnet} of the instance whose PAAS_RUN is "${other.run}". Set another, e.g. PAAS_SUBNET=172.31.0.0/16.`,
    );
  }
}

function isAlive(instance: InstanceRecord, { tag, folder }: { tag: string; folder: string }): boolean {
  const claim = InstanceClaim.try(folder, tag);
  try {
    return !claim || !isDead(instance, tag);
  } finally {
    claim?.close();
  }
}

function tagsIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** Undefined: what stands there is no instance's note, as its writer was killed at it. */
function readRecord(path: string, tag: string): InstanceRecord | undefined {
  try {
    const record: InstanceRecord = JSON.parse(readFileSync(path, 'utf8'));
    return instanceTag(record.run) === tag ? record : undefined;
  } catch {
    return undefined;
  }
}

function isDead({ run, output = run }: InstanceRecord, tag: string): boolean {
  return !existsSync(output) || !hasProcesses(tag);
}
