import { raiseSettings } from '../syscall/kernel-settings.ts';

/**
 * What the kernel counts for each user, and apps are all one user outside, or for the whole machine (the last): without more room
 * one app that takes all of it would leave none to the others. Each of these costs memory that counts as the container's own
 * (cgroups(7)), so a container's limit of memory bounds it. See inotify(7), epoll(7), io_setup(2).
 */
const ROOM: Record<string, number> = {
  '/proc/sys/fs/inotify/max_user_instances': 1 << 20,
  '/proc/sys/fs/inotify/max_user_watches': 1 << 26,
  '/proc/sys/fs/epoll/max_user_watches': 1 << 28,
  '/proc/sys/fs/aio-max-nr': 1 << 28,
};

/** Raises them where they are lower, on the whole machine. */
export function raiseSharedCounts(): void {
  raiseSettings(ROOM);
}
