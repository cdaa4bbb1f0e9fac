#include "base/huge_pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <list>
#include <mutex>
#include <new>

#include "base/rounding.h"

namespace anemone::huge_pages {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kPage = size_t{4} << 10;
constexpr size_t kHugePage = size_t{2} << 20;
// Of address space; only what is touched becomes memory.
constexpr size_t kRegion = size_t{64} << 20;

// Whose first `used` bytes are, or were, blocks.
struct Region {
  std::byte* data = nullptr;
  size_t bytes = 0;
  size_t used = 0;
  size_t blocks = 0;  // that were not returned

  bool Holds(const void* block) const {
    const auto at = reinterpret_cast<uintptr_t>(block), begin = reinterpret_cast<uintptr_t>(data);
    return at >= begin && at < begin + bytes;
  }
};

// Never destroyed, because blocks may outlive it.
struct Regions {
  std::mutex mutex;
  std::list<Region> list;  // blocks are taken from the last
};
Regions& All() {
  static auto* regions = new Regions;
  return *regions;
}

// A region of at least `bytes` that begins with a huge page; without data when there is no room.
Region Map(size_t bytes) {
  Region region;
  const size_t wanted = RoundUp(bytes, kHugePage);
  if (wanted < bytes || wanted + kHugePage < wanted) return region;
  void* mapped = ::mmap(nullptr, wanted + kHugePage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, /*fd=*/-1, 0);
  if (mapped == MAP_FAILED) return region;
  auto* const begin = static_cast<std::byte*>(mapped);
  const size_t before =
      RoundUp(reinterpret_cast<uintptr_t>(begin), kHugePage) - reinterpret_cast<uintptr_t>(begin);
  if (before > 0) ::munmap(begin, before);
  region.data = begin + before;
  region.bytes = wanted;
  if (before < kHugePage) ::munmap(region.data + wanted, kHugePage - before);
#if defined(MADV_HUGEPAGE)
  ::madvise(region.data, region.bytes, MADV_HUGEPAGE);
#endif
  return region;
}

// Gives back the pages that lie between two places entirely.
void Discard(const Region& region, size_t begin, size_t end) {
  const size_t first = RoundUp(begin, kPage), last = end / kPage * kPage;
  if (first < last) ::madvise(region.data + first, last - first, MADV_DONTNEED);
}

}  // namespace

void* Take(size_t size) noexcept try {
  const size_t bytes = RoundUp(std::max(size, kAlignment), kAlignment);
  if (bytes < size) return nullptr;
  Regions& all = All();
  std::lock_guard lock(all.mutex);
  if (all.list.empty() || all.list.back().bytes - all.list.back().used < bytes) {
    const Region region = Map(std::max(bytes, kRegion));
    if (region.data == nullptr) return nullptr;
    all.list.push_back(region);
  }
  Region& region = all.list.back();
  void* const block = region.data + region.used;
  region.used += bytes;
  ++region.blocks;
  return block;
} catch (const std::bad_alloc&) {
  return nullptr;
}

void Return(void* block, size_t size) noexcept {
  if (block == nullptr) return;
  Regions& all = All();
  std::lock_guard lock(all.mutex);
  const auto region = std::ranges::find_if(
      all.list, [&](const Region& candidate) { return candidate.Holds(block); });
  if (--region->blocks == 0) {
    ::munmap(region->data, region->bytes);
    all.list.erase(region);
    return;
  }
  const auto begin = static_cast<size_t>(static_cast<std::byte*>(block) - region->data);
  Discard(*region, begin, begin + std::max(size, kAlignment));
}

}  // namespace anemone::huge_pages
