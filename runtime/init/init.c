/*
 * The one program of ours around an app: zygote, then PID 1 of a container or helper of an exec.
 *
 * It knows no policy. The runtime decides what happens to a new process and sends it as a list of operations,
 * mostly plain system calls; this program carries them out in order and stops at the first that fails.
 * No libc: it is a few KB, starts in microseconds, and every container's PID 1 shares its pages.
 *
 *   runtime                     zygote (this program)              container
 *   ───────                     ─────────────────────              ─────────
 *   struct request     ───────► clone3(request.clone_flags) ─────► carries out the list's operations;
 *   + descriptors               (the new process's parent,         SPAWN forks: the parent becomes PID 1
 *                                outlives the runtime)             and supervises, the child goes on to EXECUTE
 *   reply + pidfd      ◄───────
 *   status pipe        ◄────────────────────────────────────────── end of file: the app runs;
 *                                                                  struct failure: which operation, why not
 *   exit file          ◄────────────────────────────────────────── "0\n": the app's exit status
 *   output file        ◄────────────────────────────────────────── what the app writes into its pipe, by PID 1
 *
 * Descriptors of a request: [0] the list (a memfd), [1] the status pipe, [2] the exit file, then the operations' own.
 *
 * A list may end with PARK: the process waits on a socket for a second request, the same but for the clone, and goes on with
 * that one's list. So all that containers have in common is done before anybody asks for one:
 *
 *   runtime                     zygote                             container
 *   ───────                     ──────                             ─────────
 *   struct request     ───────► clone3 ──────────────────────────► carries out the first list up to PARK
 *   status pipe        ◄────────────────────────────────────────── end of file: it is parked
 *        (later)
 *   struct request,
 *   list, descriptors  ──────────────────────────────────────────► carries out the second list, whose status pipe the socket is
 *   end of file        ──────────────────────────────────────────► (the runtime has ended) ends
 *
 * A second list comes in the message itself, or, if it is long, as the first of the descriptors (then request.cgroup is 1).
 *
 * The list is mapped at LIST_ADDRESS, so that the runtime can put absolute pointers into it (strings, structs,
 * vectors); the mapping is gone before the app runs, so no app's environment stays in a PID 1:
 *
 *   ┌───────┬───────────────────┬─────┬───────────────────┬─────────────────────┐
 *   │ count │ operation 0 (64)  │ ... │ operation n-1     │ strings, structs …  │
 *   └───────┴───────────────────┴─────┴───────────────────┴─────────────────────┘
 *   0       64                                                          (sizes in bytes)
 *
 *   operation: call u16 │ tolerated errno u8 │ result u8 │ kind u8 × 6 │ unused × 6 │ argument u64 × 6
 *     call       a system call's number, or one of enum own_call
 *     tolerated  this errno is no failure; 0: none; 255: any
 *     result     the result is kept under this number; 255: not kept
 *     kind       what the argument is: the value itself, the index of a passed descriptor, or of a kept result
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

#define LIST_ADDRESS 0x200000000UL
#define MAX_INLINE_LIST (128UL << 10)
#define MAX_DESCRIPTORS 64
#define MAX_RESULTS 255
#define NO_RESULT 255
#define ANY_ERROR 255

/*
 * Fixed places in a new process. In the zygote its socket is at 3 and /dev/null at the others, so that none clobbers a passed one; but at
 * FOLDER it has the folder of output files. From PIPES on are two for each of MAX_PIPES: the pipe, and the file that it goes into.
 */
enum { SOCKET = 3, EXIT_FILE = 3, STATUS = 4, FOLDER = 5, PIPES = 5, MAX_PIPES = 2, PLACES_END = PIPES + 2 * MAX_PIPES };

enum own_call {
  SPAWN = 0x8000,         /* (is_pid_1, pipes): the rest of the list belongs to the app's process */
  EXECUTE = 0x8001,       /* (path, argv, envp): goes on with the next operation if there is no such program */
  NETLINK = 0x8002,       /* (socket, requests, bytes, count): sends them, waits for every answer */
  CHECK_FOLDER = 0x8003,  /* (): the working folder is below the root, CVE-2024-21626 */
  DROP_BOUNDING = 0x8004, /* (kept, last): every capability up to `last` that `kept` has no bit for, for good */
  PARK = 0x8005,          /* (socket): closes the status pipe, waits for another request and goes on with its list */
  WRITE_FILE = 0x8006,    /* (path, flags, mode, bytes, length): opens, writes all in one call, closes */
};

enum argument_kind { VALUE = 0, DESCRIPTOR = 1, RESULT = 2 };

struct operation {
  u16 call;
  u8 tolerated;
  u8 result;
  u8 kind[6];
  u8 unused[6];
  u64 argument[6];
};

struct list {
  u64 count;
  u64 unused[7];
  struct operation operations[];
};

struct request {
  u64 clone_flags;
  u64 list_size;
  u64 cgroup; /* index of the descriptor of a cgroup v2 to be born in; 0: none. To a parked process 1: descriptor 0 is the list */
};

struct reply {
  long pid; /* or -errno */
};

struct failure {
  u32 operation;
  int error;
};

/* -------- system calls: numbers and structures of x86-64, see the man page of each -------- */

enum {
  NR_read = 0, NR_write = 1, NR_close = 3, NR_fstat = 5, NR_poll = 7, NR_lseek = 8, NR_mmap = 9, NR_munmap = 11, NR_rt_sigaction = 13, NR_rt_sigprocmask = 14,
  NR_nanosleep = 35, NR_sendto = 44, NR_recvfrom = 45, NR_sendmsg = 46, NR_recvmsg = 47, NR_clone = 56, NR_execve = 59, NR_wait4 = 61,
  NR_kill = 62, NR_flock = 73, NR_getcwd = 79, NR_umask = 95, NR_prctl = 157, NR_rt_sigtimedwait = 128, NR_keyctl = 250,
  NR_getdents64 = 217, NR_exit_group = 231, NR_openat = 257, NR_faccessat = 269, NR_splice = 275, NR_fallocate = 285, NR_signalfd4 = 289,
  NR_dup3 = 292, NR_clone3 = 435, NR_close_range = 436,
};

enum { ENOENT = 2, EINTR = 4, ECHILD = 10, EAGAIN = 11, EACCES = 13, ENOTDIR = 20, EPROTO = 71 };
enum { SIGCHLD = 17, SIG_DFL = 0, SIG_IGN = 1, PR_SET_NAME = 15, PR_CAPBSET_DROP = 24, PR_SET_CHILD_SUBREAPER = 36 };
enum { KEYCTL_JOIN_SESSION_KEYRING = 1 };
enum { O_RDWR = 2, O_NOFOLLOW = 0400000, LOCK_EX = 2, LOCK_NB = 4, LOCK_UN = 8, DT_REG = 8 };
enum { FALLOC_FL_KEEP_SIZE = 1, FALLOC_FL_PUNCH_HOLE = 2 };
enum { SIG_SETMASK = 2, WNOHANG = 1, POLLIN = 1, SPLICE_F_NONBLOCK = 2 };
enum { PROT_READ = 1, PROT_WRITE = 2, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20, MAP_FIXED_NOREPLACE = 0x100000, O_CLOEXEC = 02000000 };
enum { AT_FDCWD = -100 };
enum { MSG_NOSIGNAL = 0x4000, MSG_CMSG_CLOEXEC = 0x40000000, SOL_SOCKET = 1, SCM_RIGHTS = 1 };
#define CLONE_PIDFD 0x1000UL
#define CLONE_VM 0x100UL
#define CLONE_VFORK 0x4000UL
#define CLONE_INTO_CGROUP 0x200000000UL

struct stat_result { u64 device, inode, links; u32 mode, uid, gid, unused; u64 special; long size, block_size, blocks; u64 times[9]; };
struct directory_entry { u64 inode; long offset; u16 length; u8 type; char name[]; };
struct io_vector { void *base; u64 length; };
struct message { void *name; u32 name_length; struct io_vector *vectors; u64 vector_count; void *control; u64 control_length; int flags; };
struct control { u64 length; int level, type; int descriptors[MAX_DESCRIPTORS]; };
struct clone_args { u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; };
struct signal_action { u64 handler, flags, restorer, mask; };
struct polled { int descriptor; short events, revents; };
struct netlink_header { u32 length; u16 type, flags; u32 sequence, port; int error; };

static long call(long number, u64 a, u64 b, u64 c, u64 d, u64 e, u64 f) {
  long result;
  register u64 r10 __asm__("r10") = d;
  register u64 r8 __asm__("r8") = e;
  register u64 r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

#define call1(n, a) call(n, (u64)(a), 0, 0, 0, 0, 0)
#define call2(n, a, b) call(n, (u64)(a), (u64)(b), 0, 0, 0, 0)
#define call3(n, a, b, c) call(n, (u64)(a), (u64)(b), (u64)(c), 0, 0, 0)
#define call4(n, a, b, c, d) call(n, (u64)(a), (u64)(b), (u64)(c), (u64)(d), 0, 0)

/* The compiler may put calls of these into any code. */
void *memset(void *target, int byte, u64 length) {
  for (u64 i = 0; i < length; i++) ((volatile u8 *)target)[i] = (u8)byte;
  return target;
}

void *memcpy(void *target, const void *source, u64 length) {
  for (u64 i = 0; i < length; i++) ((volatile u8 *)target)[i] = ((const u8 *)source)[i];
  return target;
}

static __attribute__((noreturn)) void leave(int code) {
  for (;;) call1(NR_exit_group, code);
}

static void on_child_ended(u64 handler) {
  struct signal_action action = {handler, 0, 0, 0};
  call4(NR_rt_sigaction, SIGCHLD, &action, 0, 8);
}

static void set_signal_mask(u64 mask) {
  call4(NR_rt_sigprocmask, SIG_SETMASK, &mask, 0, 8);
}

/* -------- in the new process: the operations -------- */

static __attribute__((noreturn)) void fail(u64 index, long error) {
  struct failure failure = {(u32)index, (int)-error};
  call3(NR_write, STATUS, &failure, sizeof failure);
  leave(error == -ENOENT || error == -ENOTDIR ? 127 : 126);
}

static void write_exit_status(int code) {
  char text[4];
  int length = 0;
  if (code >= 100) text[length++] = (char)('0' + code / 100);
  if (code >= 10) text[length++] = (char)('0' + code / 10 % 10);
  text[length++] = (char)('0' + code % 10);
  text[length++] = '\n';
  call3(NR_write, EXIT_FILE, text, length);
}

/* More than any pipe holds, so a writer that never rests cannot keep us. */
#define MOVED_AT_ONCE (1UL << 20)

/*
 * What is in a pipe goes into its file. A disk that takes nothing costs the app its output, but does not hold it up. At the pipe's end,
 * when nobody can write to it any more, it is polled no longer.
 */
static long move(struct polled *pipe) {
  u8 lost[4096];
  long moved = call(NR_splice, (u64)pipe->descriptor, 0, (u64)pipe->descriptor + 1, 0, MOVED_AT_ONCE, SPLICE_F_NONBLOCK);
  if (moved < 0 && moved != -EAGAIN && moved != -EINTR) moved = call3(NR_read, pipe->descriptor, lost, sizeof lost);
  if (moved == 0) pipe->descriptor = -1;
  return moved;
}

struct supervised {
  long app;
  int is_pid_1, pipes;
  u64 list_size;
};

/* Reaps whatever ended. When it was the app: takes its last output, notes its status and ends, which ends the container. */
static void reap(const struct supervised *supervised, struct polled *pipes) {
  int status;
  long pid;
  while ((pid = call4(NR_wait4, -1, &status, WNOHANG, 0)) > 0) {
    if (pid != supervised->app) continue;
    int code = (status & 0x7f) ? 128 + (status & 0x7f) : (status >> 8) & 0xff;
    for (int i = 0; i < supervised->pipes; i++) move(&pipes[i]);
    write_exit_status(code);
    leave(code);
  }
}

/* PID 1 passes signals on to every process that it sees; the helper is in the host's pid namespace and must never do that: to its own child alone. */
static void take_signals(const struct supervised *supervised, struct polled *pipes) {
  const u64 all = ~0UL;
  const struct { long seconds, nanoseconds; } at_once = {0, 0};
  long signal;
  while ((signal = call4(NR_rt_sigtimedwait, &all, 0, &at_once, 8)) > 0) {
    if (signal == SIGCHLD) reap(supervised, pipes);
    else call2(NR_kill, supervised->is_pid_1 ? -1 : supervised->app, signal);
  }
}

/* An app that writes line after line does not wake us for each; its pipe holds what it writes meanwhile. */
#define PAUSE_MILLISECONDS 1

/* This is PID 1 of the container, or the helper of an exec. */
static __attribute__((noreturn)) void supervise(const struct supervised *supervised) {
  const u64 all = ~0UL;
  call3(NR_close_range, 0, EXIT_FILE - 1, 0);
  call1(NR_close, STATUS);
  call3(NR_close_range, PIPES + 2 * supervised->pipes, ~0U, 0);
  call2(NR_munmap, LIST_ADDRESS, supervised->list_size);
  struct polled signals = {(int)call4(NR_signalfd4, -1, &all, 8, 0), POLLIN, 0};
  struct polled polled[1 + MAX_PIPES] = {signals, {PIPES, POLLIN, 0}, {PIPES + 2, POLLIN, 0}};
  for (;;) {
    long moved = 0;
    call3(NR_poll, polled, 1 + supervised->pipes, -1);
    take_signals(supervised, polled + 1);
    for (int i = 1; i <= supervised->pipes; i++) {
      if (polled[i].revents && move(&polled[i]) > 0) moved = 1;
    }
    if (moved) call3(NR_poll, polled, 1, PAUSE_MILLISECONDS);
  }
}

/*
 * Returns in the app's process only. As vfork(2): the new process has our memory, stack and all, until it executes the app, and we stand
 * still meanwhile. So nothing that we still need may be on the stack afterwards.
 */
static long spawn(int is_pid_1, int pipes, u64 list_size) {
  static struct supervised kept;
  kept = (struct supervised){0, is_pid_1, pipes, list_size};
  set_signal_mask(~0UL);
  long app = call2(NR_clone, CLONE_VM | CLONE_VFORK | SIGCHLD, 0);
  if (app > 0) {
    kept.app = app;
    supervise(&kept);
  }
  if (app == 0) {
    call1(NR_close, EXIT_FILE);
    set_signal_mask(0);
  }
  return app;
}

/* See rtnetlink(7). The first error that an answer tells, after all have come. */
static long netlink(u64 socket, u64 requests, u64 length, u64 count) {
  static u8 answers[16384] __attribute__((aligned(8)));
  long error = call(NR_sendto, socket, requests, length, 0, 0, 0);
  if (error < 0) return error;
  error = 0;
  while (count > 0) {
    long size = call(NR_recvfrom, socket, (u64)answers, sizeof answers, 0, 0, 0);
    if (size == -EINTR) continue;
    if (size < (long)sizeof(struct netlink_header)) return size < 0 ? size : -EPROTO;
    for (long at = 0; at + (long)sizeof(struct netlink_header) <= size && count > 0;) {
      struct netlink_header *answer = (struct netlink_header *)(answers + at);
      if (answer->length < sizeof *answer) return -EPROTO;
      if (error == 0) error = answer->error;
      count--;
      at += (answer->length + 3) & ~3U;
    }
  }
  return error;
}

/* "(unreachable)/…" is what getcwd says of a folder outside the root. */
static long check_folder(void) {
  static char folder[4096];
  long length = call2(NR_getcwd, folder, sizeof folder);
  return length < 0 ? length : folder[0] == '/' ? 0 : -ENOENT;
}

/* See capabilities(7), "Capability bounding set". */
static long drop_bounding(u64 kept, u64 last) {
  long error = 0;
  for (u64 capability = 0; capability <= last && error == 0; capability++) {
    if (!(kept >> capability & 1)) error = call(NR_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0, 0);
  }
  return error;
}

/* As execvp(3): a program that is missing in one place may be in the next; one that may not be executed is told. */
static long execute(const u64 *argument, int is_last) {
  static long refused;
  /* To find out by execve takes ten times as long. */
  long missing = is_last ? 0 : call3(NR_faccessat, AT_FDCWD, argument[0], 0);
  if (missing == -ENOENT || missing == -ENOTDIR) return 0;
  long error = call3(NR_execve, argument[0], argument[1], argument[2]);
  if (error == -EACCES) refused = error;
  int try_next = error == -ENOENT || error == -ENOTDIR || error == -EACCES;
  if (try_next && !is_last) return 0;
  return try_next && refused ? refused : error;
}

/* Control files take what they are told in one write, or not at all. */
static long write_file(const u64 *argument) {
  long file = call4(NR_openat, AT_FDCWD, argument[0], argument[1] | O_CLOEXEC, argument[2]);
  if (file < 0) return file;
  long written = call3(NR_write, file, argument[3], argument[4]);
  call1(NR_close, file);
  return written;
}

static __attribute__((noreturn)) void park(int socket, u64 list_size);

static long carry_out(const struct operation *operation, const u64 *argument, u64 list_size, int is_last) {
  switch (operation->call) {
    case SPAWN: return spawn((int)argument[0], (int)argument[1], list_size);
    case EXECUTE: return execute(argument, is_last);
    case NETLINK: return netlink(argument[0], argument[1], argument[2], argument[3]);
    case CHECK_FOLDER: return check_folder();
    case DROP_BOUNDING: return drop_bounding(argument[0], argument[1]);
    case WRITE_FILE: return write_file(argument);
    case PARK: park((int)argument[0], list_size);
    default:
      return call(operation->call, argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
  }
}

static u64 resolve(u8 kind, u64 value, const int *descriptors, const u64 *results) {
  if (kind == DESCRIPTOR) return (u64)descriptors[value % MAX_DESCRIPTORS];
  if (kind == RESULT) return results[value % MAX_RESULTS];
  return value;
}

static __attribute__((noreturn)) void run_list(u64 list_size, const int *descriptors) {
  const struct list *list = (const struct list *)LIST_ADDRESS;
  u64 results[MAX_RESULTS] = {0};
  for (u64 i = 0; i < list->count; i++) {
    const struct operation *operation = &list->operations[i];
    u64 argument[6];
    for (int k = 0; k < 6; k++) argument[k] = resolve(operation->kind[k], operation->argument[k], descriptors, results);
    long result = carry_out(operation, argument, list_size, i + 1 == list->count);
    int is_error = result < 0 && result > -4096;
    if (is_error && operation->tolerated != ANY_ERROR && -result != operation->tolerated) fail(i, result);
    if (operation->result != NO_RESULT) results[operation->result % MAX_RESULTS] = (u64)result;
  }
  fail(list->count, -ENOENT);
}

/* Its own copy: some calls write into their arguments. */
static void map_list(int file, u64 size) {
  long address = call(NR_mmap, LIST_ADDRESS, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED_NOREPLACE, (u64)file, 0);
  if (address != (long)LIST_ADDRESS) fail(0, address);
}

/* This is the zygote's child. */
static __attribute__((noreturn)) void begin(const struct request *request, const int *descriptors) {
  call3(NR_dup3, STATUS, FOLDER, O_CLOEXEC);
  call3(NR_dup3, descriptors[1], STATUS, O_CLOEXEC);
  call3(NR_dup3, descriptors[2], EXIT_FILE, O_CLOEXEC);
  call1(NR_close, descriptors[1]);
  call1(NR_close, descriptors[2]);
  on_child_ended(SIG_DFL);
  map_list(descriptors[0], request->list_size);
  run_list(request->list_size, descriptors);
}

/* -------- requests -------- */

/* The number of descriptors that came along; negative at the end of the runtime. The list comes to `list`, if there is room for one. */
static int receive(int socket, struct request *request, struct io_vector list, struct control *control) {
  struct io_vector vectors[2] = {{request, sizeof *request}, list};
  struct message message = {0, 0, vectors, list.length ? 2 : 1, control, sizeof *control, 0};
  long size;
  do size = call3(NR_recvmsg, socket, &message, MSG_CMSG_CLOEXEC);
  while (size == -EINTR);
  if (size < (long)sizeof *request) return -1;
  if (message.control_length < 16 || control->type != SCM_RIGHTS) return 0;
  return (int)((control->length - 16) / sizeof(int));
}

/* This is a container's first process, which nobody has told yet what it is for. One that waits ends with the runtime. */
static void park(int socket, u64 list_size) {
  struct request request;
  struct control control;
  struct io_vector room = {(void *)LIST_ADDRESS, MAX_INLINE_LIST};
  call2(NR_munmap, LIST_ADDRESS, list_size);
  call3(NR_dup3, socket, STATUS, O_CLOEXEC); /* so that no passed descriptor gets its number */
  long address = call(NR_mmap, LIST_ADDRESS, room.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, ~0UL, 0);
  if (address != (long)LIST_ADDRESS) leave(125);
  if (receive(socket, &request, room, &control) < 0) leave(125);
  if (request.cgroup) {
    call2(NR_munmap, LIST_ADDRESS, room.length);
    map_list(control.descriptors[0], request.list_size);
  }
  run_list(request.cgroup ? request.list_size : room.length, control.descriptors);
}

/* -------- the zygote -------- */

static void answer(long pid, int pidfd) {
  struct reply reply = {pid};
  struct io_vector vector = {&reply, sizeof reply};
  struct { u64 length; int level, type; int descriptor, padding; } control = {20, SOL_SOCKET, SCM_RIGHTS, pidfd, 0};
  struct message message = {0, 0, &vector, 1, &control, sizeof control, 0};
  if (pid < 0) message.control_length = 0;
  call3(NR_sendmsg, SOCKET, &message, MSG_NOSIGNAL);
}

static void launch(const struct request *request, const int *descriptors, int count) {
  int pidfd = -1;
  struct clone_args args = {0};
  args.flags = request->clone_flags | CLONE_PIDFD;
  args.pidfd = (u64)&pidfd;
  args.exit_signal = SIGCHLD;
  if (request->cgroup) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (u64)descriptors[request->cgroup % MAX_DESCRIPTORS];
  }
  long pid = call2(NR_clone3, &args, sizeof args);
  if (pid == 0) begin(request, descriptors);
  answer(pid, pidfd);
  if (pid > 0) call1(NR_close, pidfd);
  for (int i = 0; i < count; i++) call1(NR_close, descriptors[i]);
}

/* A file that takes more than so much of the disk keeps only its end; a runtime would skip the rest (raw-output.ts). */
#define MAX_OUTPUT (64L << 20)
#define KEPT_OUTPUT (48L << 20)

static void bound_file(const char *name) {
  struct stat_result stat;
  long file = call4(NR_openat, FOLDER, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0);
  if (file < 0) return;
  if (call2(NR_fstat, file, &stat) == 0 && stat.blocks * 512 > MAX_OUTPUT && stat.size > KEPT_OUTPUT) {
    call4(NR_fallocate, file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, stat.size - KEPT_OUTPUT);
  }
  call1(NR_close, file);
}

/*
 * While there is no runtime nobody reads what containers write, and frees it. A runtime holds a lock on the folder of
 * these files; whichever zygote gets it looks after them.
 */
static void bound_output(void) {
  static u8 entries[16384] __attribute__((aligned(8)));
  long size;
  if (call2(NR_flock, FOLDER, LOCK_EX | LOCK_NB) < 0) return;
  call3(NR_lseek, FOLDER, 0, 0);
  while ((size = call3(NR_getdents64, FOLDER, entries, sizeof entries)) > 0) {
    for (long at = 0; at < size; at += ((struct directory_entry *)(entries + at))->length) {
      struct directory_entry *entry = (struct directory_entry *)(entries + at);
      if (entry->type == DT_REG) bound_file(entry->name);
    }
  }
  call2(NR_flock, FOLDER, LOCK_UN);
}

/*
 * Children are never waited for one by one: with SIGCHLD ignored the kernel reaps them, and wait4 says when the
 * last is gone (wait(2), notes). So the zygote outlives the runtime for as long as a container of it runs. Orphans
 * come to it too: the host's PID 1 may take its time, and a container ends only when its last process is reaped.
 * What containers inherit of it: its name, which they see as that of PID 1, and an empty keyring in place of the host's.
 */
static __attribute__((noreturn)) void zygote(void) {
  for (int place = FOLDER + 1; place < PLACES_END; place++) call3(NR_dup3, STATUS, place, O_CLOEXEC);
  call3(NR_close_range, PLACES_END, ~0U, 0);
  call1(NR_umask, 022);
  call2(NR_prctl, PR_SET_CHILD_SUBREAPER, 1);
  call2(NR_prctl, PR_SET_NAME, "paas-init");
  call2(NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0);
  on_child_ended(SIG_IGN);
  for (;;) {
    struct request request;
    struct control control;
    struct io_vector nowhere = {0, 0};
    int count = receive(SOCKET, &request, nowhere, &control);
    if (count < 0) break;
    if (count >= 3) launch(&request, control.descriptors, count);
    else answer(-EPROTO, -1);
  }
  call1(NR_close, SOCKET);
  const struct { long seconds, nanoseconds; } interval = {0, 200 * 1000 * 1000};
  while (call4(NR_wait4, -1, 0, WNOHANG, 0) != -ECHILD) {
    bound_output();
    call2(NR_nanosleep, &interval, 0);
  }
  leave(0);
}

__attribute__((used)) void start(void) {
  zygote();
}

__asm__(".globl _start\n_start: xor %rbp, %rbp\n and $-16, %rsp\n call start\n hlt");
