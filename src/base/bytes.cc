#include "base/bytes.h"

#include <sys/mman.h>

#include <cstdlib>

namespace anemone {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;

// Memory for a large copy: on huge pages where the system has them, which saves most of the page
// faults that copying a model's weights would cost. Null when the system refuses.
std::shared_ptr<void> AllocateLarge(size_t size) {
  const size_t mapped = (size + kHugePage - 1) / kHugePage * kHugePage;
  void* data = std::aligned_alloc(kHugePage, mapped);
  if (data == nullptr) return nullptr;
#ifdef MADV_HUGEPAGE
  ::madvise(data, mapped, MADV_HUGEPAGE);  // advice only: a refusal changes nothing but speed
#endif
  return {data, std::free};
}

}  // namespace

Bytes Bytes::Copy(const void* data, size_t size) {
  if (size >= kHugePage) {
    if (std::shared_ptr<void> memory = AllocateLarge(size)) {
      std::memcpy(memory.get(), data, size);
      return Bytes(memory.get(), size, memory);
    }
  }
  std::vector<std::byte> copy(size);
  if (size != 0) std::memcpy(copy.data(), data, size);
  return FromVector(std::move(copy));
}

}  // namespace anemone
