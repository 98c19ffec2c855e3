import type { Operation } from '../../init/operation-list.ts';
import { PR, PR_CAP_AMBIENT_CLEAR_ALL, SECCOMP_SET_MODE_FILTER } from '../../syscall/constants.ts';
import { capabilityMask } from '../capabilities.ts';
import type { ExecSpec } from '../kernel.ts';
import type { HostFacts } from './host-facts.ts';

/**
 * Gives up every privilege that the spec does not name, for good; with `isBounded` the bounding set is empty already. In this order: each
 * step needs what a later one takes away. Afterwards nobody in the container can read this process's memory or descriptors (CVE-2016-9962).
 */
export function planPrivileges(
  spec: Pick<ExecSpec, 'uid' | 'gid' | 'groups' | 'capabilities'>,
  host: Pick<HostFacts, 'lastCapability'>,
  filter: Uint8Array,
  { isBounded = false } = {},
): Operation[] {
  const kept = keptCapabilities(spec);
  const groups = Buffer.from(new Uint32Array(spec.groups).buffer);
  const user = `${spec.uid}:${spec.gid}`;
  return [
    ...(isBounded ? [] : planBounding(kept, host)),
    {
      call: 'prctl',
      args: [PR.CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0],
      purpose: 'clear the ambient capabilities',
    },
    { call: 'setgroups', args: [spec.groups.length, groups], purpose: `take on the groups [${spec.groups}]` },
    { call: 'setresgid', args: [spec.gid, spec.gid, spec.gid], purpose: `become user ${user}` },
    { call: 'setresuid', args: [spec.uid, spec.uid, spec.uid], purpose: `become user ${user}` },
    { call: 'capset', args: [CAPABILITY_HEADER, capabilitySets(kept)], purpose: 'give up capabilities' },
    { call: 'prctl', args: [PR.SET_DUMPABLE, 0, 0, 0, 0], purpose: 'shut out debuggers' },
    { call: 'prctl', args: [PR.SET_NO_NEW_PRIVS, 1, 0, 0, 0], purpose: 'give up new privileges' },
    {
      call: 'seccomp',
      args: [SECCOMP_SET_MODE_FILTER, 0, { filter }],
      purpose: 'install the system call filter',
    },
  ];
}

/** What no program that this process executes can get any more; it loses nothing itself. Who enters a user namespace begins with a full set there. */
export function planBounding(kept: bigint, host: Pick<HostFacts, 'lastCapability'>): Operation[] {
  return [
    {
      call: 'drop_bounding',
      args: [kept, host.lastCapability],
      purpose: 'drop capabilities from the bounding set',
    },
  ];
}

/** Those that the container's processes have. */
export function keptCapabilities({ uid, capabilities }: Pick<ExecSpec, 'uid' | 'capabilities'>): bigint {
  return uid === 0 ? capabilityMask(capabilities) : 0n;
}

/** `struct __user_cap_header_struct`: version 3, this process. */
export const CAPABILITY_HEADER = Buffer.from(new Uint32Array([0x20080522, 0]).buffer);

/** `struct __user_cap_data_struct` twice: effective and permitted, never inheritable (CVE-2022-24769). */
export function capabilitySets(kept: bigint): Buffer {
  const low = Number(kept & 0xffff_ffffn);
  const high = Number(kept >> 32n);
  return Buffer.from(new Uint32Array([low, low, 0, high, high, 0]).buffer);
}
