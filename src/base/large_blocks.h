// Memory for large tensors. On the heap, a large block that is freed is split by the next small allocation, and the next
// large one finds no room: a model whose shapes grow call by call then keeps hundreds of megabytes of holes. So large
// blocks have pages of their own, and some of the freed ones are kept, because fresh pages cost a fault each.
// Ownership: the caller's, from Take to Return. Thread rules: any number of threads. Errors: null.
#pragma once

#include <cstddef>

namespace anemone::large_blocks {

// Smaller blocks belong on the heap.
inline constexpr size_t kSmallest = size_t{128} << 10;
// Of freed blocks, so many bytes are kept at most, over all threads.
inline constexpr size_t kKeptBytes = size_t{32} << 20;

// At least `size` bytes, aligned to pages, uninitialized; null when memory runs out.
void* Take(size_t size) noexcept;
// Gives back what Take(size) returned.
void Return(void* block, size_t size) noexcept;
// The bytes of freed blocks that are kept now.
size_t KeptBytes() noexcept;

}  // namespace anemone::large_blocks
