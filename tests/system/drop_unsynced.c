// A disk that keeps only what was synced, for LD_PRELOAD: beside the live directory DROP_UNSYNCED_ROOT it keeps, in DROP_UNSYNCED_SHADOW,
// what a power loss would leave of it. crash_campaign.py kills the process and puts the shadow in the directory's place.
//
// A file's bytes reach the shadow with fsync or fdatasync of the file; a name appears, moves or goes with fsync of its directory, and not
// before. What stands in the directory at the first start counts as synced. Shadow: i/KEY is a file's content, d/KEY the list of a
// directory's entries, root the key of the root; a KEY is inode and birth time, so that a reused inode is another file.
//
// Files above kWholeFileBytes are taken to be append-only (those of RocksDB are). Mapped writes are not followed: msync aborts.
// DROP_UNSYNCED_LIE=SUFFIX[:SUFFIX]... plants a bug: syncs of files with such a suffix answer OK and do nothing.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { kWholeFileBytes = 64 * 1024, kPath = 4096, kKey = 64 };

static const char* root;
static const char* shadow;
static const char* lie;
// Held while names change and while a directory is listed: a listing must not run into a rename.
static pthread_mutex_t names = PTHREAD_MUTEX_INITIALIZER;

static void Die(const char* what) {
  fprintf(stderr, "drop_unsynced: %s: %s\n", what, strerror(errno));
  abort();
}

static void KeyOf(int fd, char key[kKey], mode_t* mode) {
  struct statx info;
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &info) != 0) Die("statx");
  if (!(info.stx_mask & STATX_BTIME)) Die("the file system has no birth times");
  snprintf(key, kKey, "%llu.%lld.%u", (unsigned long long)info.stx_ino, (long long)info.stx_btime.tv_sec,
           info.stx_btime.tv_nsec);
  *mode = info.stx_mode;
}

static void SaveFile(int live, const char* base, const char* key) {
  char path[kPath], buffer[65536];
  snprintf(path, sizeof path, "%s/i/%s", base, key);
  int copy = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  struct stat now, saved;
  if (copy < 0 || fstat(live, &now) != 0 || fstat(copy, &saved) != 0) Die(path);
  off_t offset = now.st_size <= kWholeFileBytes || saved.st_size > now.st_size ? 0 : saved.st_size;
  ssize_t count;
  while (offset < now.st_size && (count = pread(live, buffer, sizeof buffer, offset)) > 0) {
    if (pwrite(copy, buffer, (size_t)count, offset) != count) Die(path);
    offset += count;
  }
  if (ftruncate(copy, now.st_size) != 0) Die(path);
  close(copy);
}

// One line an entry: type, key, name. `everything`: also what the entries hold, at the first start.
static void SaveDirectory(int live, const char* base, const char* key, int everything) {
  char path[kPath], next[kPath + 8];
  snprintf(path, sizeof path, "%s/d/%s", base, key);
  snprintf(next, sizeof next, "%s.next", path);
  FILE* list = fopen(next, "we");
  DIR* directory = fdopendir(openat(live, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!list || !directory) Die(path);
  for (struct dirent* entry; (entry = readdir(directory));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    int fd = openat(live, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) continue;  // Sockets; and names that another process removed.
    char entry_key[kKey];
    mode_t mode;
    KeyOf(fd, entry_key, &mode);
    fprintf(list, "%c %s %s\n", S_ISDIR(mode) ? 'd' : 'f', entry_key, entry->d_name);
    if (everything && S_ISDIR(mode)) SaveDirectory(fd, base, entry_key, everything);
    if (everything && S_ISREG(mode)) SaveFile(fd, base, entry_key);
    close(fd);
  }
  closedir(directory);
  if (fclose(list) != 0 || renameat(AT_FDCWD, next, AT_FDCWD, path) != 0) Die(path);
}

__attribute__((constructor)) static void Start(void) {
  root = getenv("DROP_UNSYNCED_ROOT");
  shadow = getenv("DROP_UNSYNCED_SHADOW");
  lie = getenv("DROP_UNSYNCED_LIE");
  if (!root || !shadow) return;
  if (access(shadow, F_OK) == 0) return;
  char base[kPath], path[kPath + 8], key[kKey];
  mode_t mode;
  snprintf(base, sizeof base, "%s.first", shadow);
  mkdir(base, 0700);
  snprintf(path, sizeof path, "%s/i", base);
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/d", base);
  mkdir(path, 0700);
  int live = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (live < 0) Die(root);
  KeyOf(live, key, &mode);
  SaveDirectory(live, base, key, 1);
  close(live);
  snprintf(path, sizeof path, "%s/root", base);
  FILE* file = fopen(path, "we");
  if (!file || fputs(key, file) < 0 || fclose(file) != 0) Die(path);
  if (renameat(AT_FDCWD, base, AT_FDCWD, shadow) != 0) Die(shadow);
}

static int IsLiedAbout(const char* path) {
  const size_t length = strlen(path);
  for (const char* suffix = lie; suffix && *suffix;) {
    const size_t size = strcspn(suffix, ":");
    if (length > size && !strncmp(path + length - size, suffix, size)) return 1;
    suffix += size + (suffix[size] == ':');
  }
  return 0;
}

static void Save(int fd) {
  char link[64], path[kPath], key[kKey];
  mode_t mode;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (!root || length < 0) return;
  path[length] = '\0';
  size_t prefix = strlen(root);
  if (strncmp(path, root, prefix) != 0 || (path[prefix] != '/' && path[prefix] != '\0')) return;
  if (IsLiedAbout(path)) return;
  KeyOf(fd, key, &mode);
  int live = open(link, O_RDONLY | O_CLOEXEC);
  if (live < 0) return;
  if (S_ISDIR(mode)) {
    pthread_mutex_lock(&names);
    SaveDirectory(live, shadow, key, 0);
    pthread_mutex_unlock(&names);
  } else {
    SaveFile(live, shadow, key);
  }
  close(live);
}

// The shadow is this campaign's disk: the real one need not be waited for.
int fsync(int fd) {
  Save(fd);
  return 0;
}

int fdatasync(int fd) {
  Save(fd);
  return 0;
}

int msync(void* address, size_t length, int flags) {
  (void)address, (void)length, (void)flags;
  Die("msync is not followed");
  return -1;
}

int rename(const char* from, const char* to) {
  pthread_mutex_lock(&names);
  int result = renameat(AT_FDCWD, from, AT_FDCWD, to);
  pthread_mutex_unlock(&names);
  return result;
}

int unlink(const char* path) {
  pthread_mutex_lock(&names);
  int result = unlinkat(AT_FDCWD, path, 0);
  pthread_mutex_unlock(&names);
  return result;
}
