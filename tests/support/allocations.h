// Counts the calls of operator new of all threads: a test binary that uses this gets a replaced
// operator new. Under the address and thread sanitizers theirs stays, and their hooks count
// everything but the sanitizer's own start of a thread.
#pragma once

#include <cstdint>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ANEMONE_SANITIZER_ALLOCATES 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ANEMONE_SANITIZER_ALLOCATES 1
#endif
#endif

namespace anemone::test {

// Whole networks are then a hundred times slower, so tests use smaller inputs.
#ifdef ANEMONE_SANITIZER_ALLOCATES
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

int64_t AllocationsSoFar();

}  // namespace anemone::test
