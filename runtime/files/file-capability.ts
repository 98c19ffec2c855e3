/*
 * An attribute's value: `struct vfs_cap_data` of linux/capability.h. Version 3 says for which user namespace it counts, by the
 * user who is root there; version 2 is for the one that reads or writes it, which is ours, not the container's. See capabilities(7).
 */

/** The attribute's name. */
export const CAPABILITY = 'security.capability';

const VERSION_2 = { magic: 0x02, size: 20 };
const VERSION_3 = { magic: 0x03, size: 24 };

/** What an archive says of a file, for a container whose root is user `root` here. */
export function capabilityOutside(value: string, root: number): string {
  const bytes = Buffer.from(value, 'latin1');
  if (root === 0 || !is(bytes, VERSION_2)) return value;
  const outside = Buffer.alloc(VERSION_3.size);
  bytes.copy(outside);
  outside[3] = VERSION_3.magic;
  outside.writeUInt32LE(root, VERSION_2.size);
  return outside.toString('latin1');
}

/** The same the other way round. */
export function capabilityInside(value: string, root: number): string {
  const bytes = Buffer.from(value, 'latin1');
  if (root === 0 || !is(bytes, VERSION_3) || bytes.readUInt32LE(VERSION_2.size) !== root) return value;
  bytes[3] = VERSION_2.magic;
  return bytes.toString('latin1', 0, VERSION_2.size);
}

function is(bytes: Buffer, { magic, size }: typeof VERSION_2): boolean {
  return bytes.length === size && bytes[3] === magic;
}
