#include "base/large_blocks.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <mutex>

namespace anemone::large_blocks {
namespace {

struct Block {
  void* data = nullptr;
  size_t bytes = 0;
};

// The freed blocks, the oldest first. Never destroyed, because tensors may outlive it.
struct Kept {
  std::mutex mutex;
  std::array<Block, 64> blocks;
  size_t count = 0;
  size_t bytes = 0;

  Block Remove(size_t place) {
    const Block block = blocks[place];
    std::move(blocks.begin() + static_cast<std::ptrdiff_t>(place) + 1,
              blocks.begin() + static_cast<std::ptrdiff_t>(count),
              blocks.begin() + static_cast<std::ptrdiff_t>(place));
    --count;
    bytes -= block.bytes;
    return block;
  }
};
constinit Kept kept;

// Eight sizes for each power of two, so that a tensor that grows a little finds the block that it had. What the tensor
// does not touch of it is never resident.
size_t Rounded(size_t size) {
  const size_t step = std::bit_floor(std::max(size, kSmallest)) / 8;
  return size > SIZE_MAX - step ? 0 : (size + step - 1) / step * step;
}

}  // namespace

void* Take(size_t size) noexcept {
  const size_t bytes = Rounded(size);
  if (bytes == 0) return nullptr;
  {
    std::lock_guard lock(kept.mutex);
    // The one freed last is the likeliest to be in the processor's cache.
    for (size_t place = kept.count; place-- > 0;) {
      if (kept.blocks[place].bytes == bytes) return kept.Remove(place).data;
    }
  }
  void* data =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, /*fd=*/-1, 0);
  return data == MAP_FAILED ? nullptr : data;
}

void Return(void* block, size_t size) noexcept {
  if (block == nullptr) return;
  const Block freed{block, Rounded(size)};
  if (freed.bytes > kKeptBytes) {
    ::munmap(freed.data, freed.bytes);
    return;
  }
  std::lock_guard lock(kept.mutex);
  while (kept.count == kept.blocks.size() || kept.bytes + freed.bytes > kKeptBytes) {
    const Block oldest = kept.Remove(0);
    ::munmap(oldest.data, oldest.bytes);
  }
  kept.blocks[kept.count++] = freed;
  kept.bytes += freed.bytes;
}

size_t KeptBytes() noexcept {
  std::lock_guard lock(kept.mutex);
  return kept.bytes;
}

}  // namespace anemone::large_blocks
