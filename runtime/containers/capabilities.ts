import { SetupError } from './setup-error.ts';

/** In the order of their numbers; see capabilities(7) and linux/capability.h. */
const NAMES: readonly string[] = `
  CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
  NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
  SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE
  MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
  .trim()
  .split(/\s+/);

/** All of them, as `CAP_CHOWN`. */
export const CAPABILITIES: readonly string[] = NAMES.map((name) => `CAP_${name}`);

/** The bit mask of capabilities named as `CAP_CHOWN`. Throws `SetupError` for an unknown name. */
export function capabilityMask(names: readonly string[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(capabilityNumber(name))), 0n);
}

function capabilityNumber(name: string): number {
  const number = NAMES.indexOf(name.replace(/^CAP_/, ''));
  if (number < 0) throw new SetupError(125, `There is no capability "${name}".`);
  return number;
}
