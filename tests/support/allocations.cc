#include "support/allocations.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

#ifdef ANEMONE_SANITIZER_ALLOCATES

#include <pthread.h>

// The sanitizers check that operators match: theirs stay, and their hooks count (the
// malloc of C libraries too). Declared here, because g++'s packages leave out the
// header sanitizer/allocator_interface.h.
extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, size_t),
                                                         void (*)(const volatile void*));

namespace {

std::atomic<int64_t> allocations{0};

// Before a new thread reaches its function, the sanitizer asks glibc for the thread's stack, which
// allocates: not our doing, and at a time that the scheduler chooses. So there a thread counts from
// that function on.
#ifdef __linux__
thread_local bool counts = false;
#else
thread_local bool counts = true;
#endif

void Count(const volatile void*, std::size_t) {
  if (counts) allocations.fetch_add(1, std::memory_order_relaxed);
}
void Ignore(const volatile void*) {}

}  // namespace

#ifdef __linux__

extern "C" int __interceptor_pthread_create(pthread_t*, const pthread_attr_t*, void* (*)(void*),
                                            void*);

namespace {

struct Start {
  void* (*function)(void*);
  void* argument;
};

void* Begin(void* memory) {
  const Start start = *static_cast<Start*>(memory);
  delete static_cast<Start*>(memory);
  counts = true;
  return start.function(start.argument);
}

}  // namespace

// Replaces the sanitizer's own, which is weak for this purpose and which this calls.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                              void* (*function)(void*), void* argument) {
  auto* start = new Start{function, argument};
  const int status = __interceptor_pthread_create(thread, attributes, &Begin, start);
  if (status != 0) delete start;
  return status;
}

#endif

namespace anemone::test {

int64_t AllocationsSoFar() {
  static const int installed = __sanitizer_install_malloc_and_free_hooks(&Count, &Ignore);
  if (installed == 0) std::abort();  // a count that never rises would let every test pass
  counts = true;                     // the main thread, which no pthread_create began
  return allocations.load(std::memory_order_relaxed);
}

}  // namespace anemone::test

#else

namespace {

std::atomic<int64_t> allocations{0};

void* AllocateOrNull(std::size_t size, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (size == 0) size = 1;
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  return alignment <= alignof(std::max_align_t) ? std::malloc(size)
                                                : std::aligned_alloc(alignment, rounded);
}

void* Allocate(std::size_t size, std::size_t alignment) {
  void* memory = AllocateOrNull(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// All forms, because ours would free what a form of the standard library allocated.
void* operator new(std::size_t size) { return Allocate(size, 1); }
void* operator new[](std::size_t size) { return Allocate(size, 1); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return AllocateOrNull(size, 1);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return AllocateOrNull(size, 1);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return Allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return AllocateOrNull(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return AllocateOrNull(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace anemone::test {

int64_t AllocationsSoFar() { return allocations.load(std::memory_order_relaxed); }

}  // namespace anemone::test

#endif
