/* What g++ 12, its libstdc++ and our code use of glibc 2.28 to 2.36, for programs that are linked against an older one
 * (tools/portable/libraries.py). Hidden: each program has its own, and the C library's own are never replaced. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HIDDEN __attribute__((visibility("hidden")))

/* 2.32: whether there is one thread only, so that counts need no atomic operations. "No" is always right. */
HIDDEN char __libc_single_threaded = 0;

/* 2.28: the name of fcntl where file offsets have 64 bits, which on 64-bit systems they always have. */
HIDDEN int fcntl64(int file, int what, ...) {
  va_list list;
  va_start(list, what);
  void* argument = va_arg(list, void*); /* an int or a pointer: one register holds either */
  va_end(list);
  return (fcntl)(file, what, argument);
}

/* 2.28: a name for this call of the kernel. */
HIDDEN int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) {
  return (int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags);
}

/* The variable that libraries use which find stderr as only a program can (tools/portable/libraries.py renames it there). */
HIDDEN FILE* anemone_stderr;

__attribute__((constructor(101))) static void SetStderr(void) {
  anemone_stderr = stderr;
}

struct Search {
  uintptr_t address;
  struct dl_find_object* found;
};

static int Visit(struct dl_phdr_info* info, size_t size, void* data) {
  (void)size;
  struct Search* search = (struct Search*)data;
  uintptr_t start = UINTPTR_MAX;
  uintptr_t end = 0;
  uintptr_t frames = 0;
  int inside = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)* segment = &info->dlpi_phdr[i];
    const uintptr_t at = info->dlpi_addr + segment->p_vaddr;
    if (segment->p_type == PT_GNU_EH_FRAME) frames = at;
    if (segment->p_type != PT_LOAD) continue;
    if (at < start) start = at;
    if (at + segment->p_memsz > end) end = at + segment->p_memsz;
    if (search->address >= at && search->address - at < segment->p_memsz) inside = 1;
  }
  if (!inside) return 0;
  if (frames == 0) return -1;
  search->found->dlfo_flags = 0;
  search->found->dlfo_map_start = (void*)start;
  search->found->dlfo_map_end = (void*)end;
  search->found->dlfo_link_map = NULL; /* libgcc reads the frames only */
  search->found->dlfo_eh_frame = (void*)frames;
  return 1;
}

/* 2.35: where the unwinder of exceptions finds the frames of a function. */
HIDDEN int _dl_find_object(void* address, struct dl_find_object* found) {
  struct Search search = {(uintptr_t)address, found};
  return dl_iterate_phdr(Visit, &search) == 1 ? 0 : -1;
}

/* 2.36: random bytes, for std::random_device. */
HIDDEN void arc4random_buf(void* bytes, size_t count) {
  unsigned char* to = (unsigned char*)bytes;
  const int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  while (count > 0) {
    const ssize_t got = file < 0 ? -1 : read(file, to, count);
    if (got <= 0) abort(); /* as glibc does: bytes that are not random must not be used */
    to += got;
    count -= (size_t)got;
  }
  close(file);
}

HIDDEN uint32_t arc4random(void) {
  uint32_t value;
  arc4random_buf(&value, sizeof value);
  return value;
}

typedef int (*ClockWait)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const struct timespec*);

/* 2.30: waits until a moment of a clock. The C library's own where it has one: the substitute wakes early or late when
 * somebody sets the time of day. Callers look at their clock again. */
HIDDEN int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                                  const struct timespec* until) {
  static ClockWait own;
  static int searched;
  if (!__atomic_load_n(&searched, __ATOMIC_ACQUIRE)) {
    __atomic_store_n(&own, (ClockWait)dlsym(RTLD_DEFAULT, "pthread_cond_clockwait"), __ATOMIC_RELAXED);
    __atomic_store_n(&searched, 1, __ATOMIC_RELEASE);
  }
  const ClockWait wait = __atomic_load_n(&own, __ATOMIC_RELAXED);
  if (wait != NULL) return wait(condition, mutex, clock, until);
  struct timespec now, day;
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &day);
  day.tv_sec += until->tv_sec - now.tv_sec;
  day.tv_nsec += until->tv_nsec - now.tv_nsec;
  if (day.tv_nsec < 0) {
    day.tv_nsec += 1000000000;
    --day.tv_sec;
  } else if (day.tv_nsec >= 1000000000) {
    day.tv_nsec -= 1000000000;
    ++day.tv_sec;
  }
  return pthread_cond_timedwait(condition, mutex, &day);
}

typedef int (*AddCloseFrom)(posix_spawn_file_actions_t*, int);

/* 2.34: closes what a child should not inherit. Before, only what was opened for exec to close is closed, as when the
 * sources are compiled there. */
HIDDEN int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t* actions, int from) {
  const AddCloseFrom own = (AddCloseFrom)dlsym(RTLD_DEFAULT, "posix_spawn_file_actions_addclosefrom_np");
  return own == NULL ? 0 : own(actions, from);
}
