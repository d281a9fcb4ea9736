// A machine that goes wrong while a process runs, for LD_PRELOAD: calls upon files below BAD_MACHINE_ROOT fail with an errno, and the wall
// clock jumps; descriptors that are refused are counted. What it does at the moment stands in the file BAD_MACHINE_CONTROL, which is mapped: bad_machine.py writes it, and reads there
// what it has done.
//
// The wall clock is CLOCK_REALTIME as libc answers it; waits until a time of that clock (condition variables, futexes) are moved back to the
// kernel's. CLOCK_MONOTONIC never jumps. Times that the kernel gives (of files) are not changed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { kPath = 4096, kWrite = 1, kSync = 2, kOpen = 4, kRename = 8 };

// bad_machine.py has the same.
struct Control {
  _Atomic int64_t clock_offset_ns;
  // Of the calls that `calls` names, each `one_in`-th fails with `error`; 0 calls: none.
  _Atomic uint32_t calls, error, one_in;
  // Descriptors that the process asked for and did not get.
  _Atomic uint32_t exhausted;
  _Atomic uint64_t matched, failed, moved_times;
};

static struct Control* control;
static const char* root;
static size_t root_length;

__attribute__((constructor)) static void Start(void) {
  const char* path = getenv("BAD_MACHINE_CONTROL");
  root = getenv("BAD_MACHINE_ROOT");
  if (!path || !root) return;
  root_length = strlen(root);
  int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
  if (fd < 0) return;
  void* mapped = mmap(NULL, sizeof(struct Control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped != MAP_FAILED) control = mapped;
  close(fd);
}

#define NEXT(function) \
  static __typeof__(&function) next; \
  if (!next) next = (__typeof__(&function))dlsym(RTLD_NEXT, #function)

static int Fails(uint32_t call) {
  if (!control || !(control->calls & call)) return 0;
  const uint32_t one_in = control->one_in ? control->one_in : 1;
  if (atomic_fetch_add(&control->matched, 1) % one_in != 0) return 0;
  atomic_fetch_add(&control->failed, 1);
  errno = (int)control->error;
  return 1;
}

static int IsBelowRoot(const char* path) {
  return !strncmp(path, root, root_length) && (path[root_length] == '/' || path[root_length] == '\0');
}

static int PathFails(uint32_t call, const char* path) {
  return control && (control->calls & call) && IsBelowRoot(path) && Fails(call);
}

static int FileFails(uint32_t call, int fd) {
  if (!control || !(control->calls & call)) return 0;
  char link[64], path[kPath];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = '\0';
  return IsBelowRoot(path) && Fails(call);
}

ssize_t write(int fd, const void* bytes, size_t count) {
  NEXT(write);
  return FileFails(kWrite, fd) ? -1 : next(fd, bytes, count);
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  NEXT(pwrite);
  return FileFails(kWrite, fd) ? -1 : next(fd, bytes, count, offset);
}

ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) {
  NEXT(pwrite64);
  return FileFails(kWrite, fd) ? -1 : next(fd, bytes, count, offset);
}

int fsync(int fd) {
  NEXT(fsync);
  return FileFails(kSync, fd) ? -1 : next(fd);
}

int fdatasync(int fd) {
  NEXT(fdatasync);
  return FileFails(kSync, fd) ? -1 : next(fd);
}

int rename(const char* from, const char* to) {
  NEXT(rename);
  return PathFails(kRename, to) ? -1 : next(from, to);
}

static int Descriptor(int fd) {
  if (fd < 0 && errno == EMFILE && control) atomic_fetch_add(&control->exhausted, 1);
  return fd;
}

static int Mode(int flags, va_list arguments) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, int) : 0; }

#define OPENS(function)                               \
  int function(const char* path, int flags, ...) {    \
    NEXT(function);                                   \
    va_list arguments;                                \
    va_start(arguments, flags);                       \
    const int mode = Mode(flags, arguments);          \
    va_end(arguments);                                \
    return PathFails(kOpen, path) ? -1 : Descriptor(next(path, flags, mode)); \
  }
OPENS(open)
OPENS(open64)

int accept4(int listener, struct sockaddr* restrict address, socklen_t* restrict length, int flags) {
  NEXT(accept4);
  return Descriptor(next(listener, address, length, flags));
}

int socket(int domain, int type, int protocol) {
  NEXT(socket);
  return Descriptor(next(domain, type, protocol));
}

// The wall clock.

static int IsWall(clockid_t clock) { return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE; }

static void Move(struct timespec* time, int64_t offset) {
  const int64_t nanoseconds = time->tv_nsec + offset % 1000000000;
  time->tv_sec += offset / 1000000000 + (nanoseconds >= 1000000000) - (nanoseconds < 0);
  time->tv_nsec = (nanoseconds + 1000000000) % 1000000000;
}

static int64_t Offset(void) {
  const int64_t offset = control ? control->clock_offset_ns : 0;
  if (offset) atomic_fetch_add(&control->moved_times, 1);
  return offset;
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  NEXT(clock_gettime);
  const int result = next(clock, time);
  if (result == 0 && IsWall(clock)) Move(time, Offset());
  return result;
}

int gettimeofday(struct timeval* restrict value, void* restrict zone) {
  (void)zone;
  struct timespec now;
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
  *value = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* result) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result) *result = now.tv_sec;
  return now.tv_sec;
}

// glibc keeps the clock of a condition variable in this bit.
static int WaitsOnWall(const pthread_cond_t* condition) { return !(condition->__data.__wrefs & 2); }

int pthread_cond_timedwait(pthread_cond_t* restrict condition, pthread_mutex_t* restrict mutex,
                           const struct timespec* restrict until) {
  NEXT(pthread_cond_timedwait);
  struct timespec moved = *until;
  if (WaitsOnWall(condition)) Move(&moved, -Offset());
  return next(condition, mutex, &moved);
}

int pthread_cond_clockwait(pthread_cond_t* restrict condition, pthread_mutex_t* restrict mutex, clockid_t clock,
                           const struct timespec* restrict until) {
  NEXT(pthread_cond_clockwait);
  struct timespec moved = *until;
  if (IsWall(clock)) Move(&moved, -Offset());
  return next(condition, mutex, clock, &moved);
}

// Abseil waits with futexes of its own.
long syscall(long number, ...) {
  NEXT(syscall);
  va_list arguments;
  va_start(arguments, number);
  long words[6];
  for (int i = 0; i < 6; ++i) words[i] = va_arg(arguments, long);
  va_end(arguments);
  struct timespec moved;
  if (number == SYS_futex && (words[1] & FUTEX_CLOCK_REALTIME) && words[3]) {
    moved = *(const struct timespec*)words[3];
    Move(&moved, -Offset());
    words[3] = (long)&moved;
  }
  return next(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}
