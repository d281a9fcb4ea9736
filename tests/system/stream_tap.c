// What a provisioner's TLS carries, for LD_PRELOAD: everything that libgrpc reads from and writes to OpenSSL goes to a file of its own for each
// process, below STREAM_TAP_DIRECTORY. stream_reader.cc finds the messages of the provisioning stream in it.
//
// What is written is noted before it is sent, what is read after it came: so an acknowledgement in the file may not have been sent, but none was
// sent that is not in the file. A record is struct Header and its bytes; a killed process may leave the last one torn.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// stream_reader.cc has the same.
enum { kUp = 'u', kDown = 'd', kFreed = 'f', kFailed = 'x' };
struct Header {
  uint64_t connection;
  int64_t nanoseconds;
  uint32_t what, bytes;
};

static int tap = -1;

static int64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

__attribute__((constructor)) static void Start(void) {
  const char* directory = getenv("STREAM_TAP_DIRECTORY");
  char path[4096];
  if (!directory) return;
  snprintf(path, sizeof path, "%s/%020lld", directory, (long long)Now());
  tap = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
  if (tap < 0) {
    perror(path);
    abort();
  }
}

static void Note(const void* connection, int what, const void* bytes, int count) {
  if (tap < 0) return;
  struct Header header = {(uint64_t)(uintptr_t)connection, Now(), (uint32_t)what, (uint32_t)count};
  const struct iovec parts[] = {{&header, sizeof header}, {(void*)bytes, (size_t)count}};
  if (writev(tap, parts, 2) == (ssize_t)(sizeof header + (size_t)count)) return;
  // A tap with holes would prove nothing.
  perror("stream_tap");
  abort();
}

#define NEXT(name) \
  static __typeof__(name)* next; \
  if (!next) next = (__typeof__(name)*)dlsym(RTLD_NEXT, #name)

int SSL_read(void* connection, void* bytes, int count) {
  NEXT(SSL_read);
  const int read = next(connection, bytes, count);
  if (read > 0) Note(connection, kDown, bytes, read);
  return read;
}

int SSL_write(void* connection, const void* bytes, int count) {
  NEXT(SSL_write);
  if (count > 0) Note(connection, kUp, bytes, count);
  const int written = next(connection, bytes, count);
  if (written != count) Note(connection, kFailed, "", 0);
  return written;
}

void SSL_free(void* connection) {
  NEXT(SSL_free);
  if (connection) Note(connection, kFreed, "", 0);
  next(connection);
}
