// Memory for what kernels read again and again, weights above all: blocks lie one after the other in regions of which the
// system may make huge pages. On small pages, a model of some megabytes has more of them than the processor remembers
// the places of, and prefetching stops at the end of each.
// Ownership: the caller's, from Take to Return; the pages of a returned block go back to the system at once. Thread
// rules: any number of threads. Errors: null.
#pragma once

#include <cstddef>

namespace anemone::huge_pages {

// Smaller blocks belong on the heap.
inline constexpr size_t kSmallest = size_t{16} << 10;

// At least `size` bytes, aligned to 64, uninitialized; null when memory runs out.
void* Take(size_t size) noexcept;
// Gives back what Take(size) returned.
void Return(void* block, size_t size) noexcept;

}  // namespace anemone::huge_pages
