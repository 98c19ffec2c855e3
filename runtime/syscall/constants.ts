/** Flags of system calls as the kernel's headers (include/uapi/linux) define them, without their common prefix. */

export const CLONE = {
  NEWNS: 0x0002_0000,
  NEWCGROUP: 0x0200_0000,
  NEWUTS: 0x0400_0000,
  NEWIPC: 0x0800_0000,
  NEWUSER: 0x1000_0000,
  NEWPID: 0x2000_0000,
  NEWNET: 0x4000_0000,
} as const;

export const OPEN = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  NONBLOCK: 0o4000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
} as const;

/** For openat2(2). */
export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16 } as const;

/** For mount(2). */
export const MOUNT = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  BIND: 4096,
  REC: 16384,
  PRIVATE: 1 << 18,
} as const;

/** For mount_setattr(2) and fsmount(2). */
export const MOUNT_ATTRIBUTE = { RDONLY: 1, NOSUID: 2, NODEV: 4, NOEXEC: 8, IDMAP: 0x10_0000 } as const;

/** For fsopen(2), fsconfig(2), fsmount(2), open_tree(2) and move_mount(2). */
export const FSOPEN_CLOEXEC = 1;
export const FSMOUNT_CLOEXEC = 1;
export const FSCONFIG = { SET_FLAG: 0, SET_STRING: 1, CMD_CREATE: 6 } as const;
export const OPEN_TREE = { CLONE: 1, CLOEXEC: 0o2000000 } as const;
export const MOVE_MOUNT = { F_EMPTY_PATH: 0x4, T_EMPTY_PATH: 0x40 } as const;

export const AT = { FDCWD: -100, EMPTY_PATH: 0x1000 } as const;

/** For umount2(2). */
export const MNT_DETACH = 2;

export const PR = { SET_DUMPABLE: 4, SET_NO_NEW_PRIVS: 38, CAP_AMBIENT: 47 } as const;
export const PR_CAP_AMBIENT_CLEAR_ALL = 4;

export const SECCOMP_SET_MODE_FILTER = 1;

/** For prlimit(2). */
export const RLIMIT = {
  ...{ CPU: 0, FSIZE: 1, DATA: 2, STACK: 3, CORE: 4, RSS: 5, NPROC: 6, NOFILE: 7, MEMLOCK: 8, LOCKS: 10 },
  ...{ SIGPENDING: 11, MSGQUEUE: 12, NICE: 13, RTPRIO: 14, RTTIME: 15 },
} as const;

export const AF = { UNIX: 1, INET: 2, INET6: 10, NETLINK: 16 } as const;
export const SOCK = {
  STREAM: 1,
  DGRAM: 2,
  RAW: 3,
  SEQPACKET: 5,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
} as const;
export const SOL_SOCKET = 1;
export const SCM_RIGHTS = 1;
export const NETLINK_ROUTE = 0;

/** For ioctl(2) on terminals, see ioctl_tty(2). */
export const TIO = {
  SCTTY: 0x540e,
  STI: 0x5412,
  LINUX: 0x541c,
  GPTPEER: 0x5441,
  SPTLCK: 0x4004_5431,
} as const;

/** For ioctl(2) on a folder, as fstrim(8) does it: _IOWR('X', 121, struct fstrim_range). */
export const FITRIM = 0xc018_5879;

/** For ioctl(2) on files and folders, see ioctl_iflags(2). */
export const FS_IOC = { GETFLAGS: 0x8008_6601, SETFLAGS: 0x4008_6602 } as const;
export const FS_TOPDIR_FL = 0x2_0000;

export const SIGKILL = 9;
