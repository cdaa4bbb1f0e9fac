// For the thread sanitizer of gcc, which links: what the Objective-C bodies, which clang compiles,
// call beyond it. Without their instrumentation it would not see their atomics, and reports what
// these keep apart.
#ifdef __SANITIZE_THREAD__

#include <string.h>

void* __tsan_memcpy(void* to, const void* from, size_t size);
void* __tsan_memmove(void* to, const void* from, size_t size);
void* __tsan_memset(void* to, int value, size_t size);
const char* __tsan_default_suppressions(void);

// The plain ones are watched themselves.
void* __tsan_memcpy(void* to, const void* from, size_t size) { return memcpy(to, from, size); }
void* __tsan_memmove(void* to, const void* from, size_t size) { return memmove(to, from, size); }
void* __tsan_memset(void* to, int value, size_t size) { return memset(to, value, size); }

// GNUstep takes its own locks in either order.
__attribute__((visibility("default"))) const char* __tsan_default_suppressions(void) {
  return "deadlock:libgnustep-base.so\n";
}

#endif
