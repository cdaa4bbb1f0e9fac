#include "base/uninitialised.h"

#include <sys/mman.h>

#include <cstdlib>
#include <new>

namespace anemone {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kAlignment = 64;

}  // namespace

std::shared_ptr<void> AllocateUninitialised(size_t size) {
  const size_t alignment = size >= kHugePage ? kHugePage : kAlignment;
  const size_t rounded = (size / alignment + (size % alignment != 0 || size == 0)) * alignment;
  void* data = std::aligned_alloc(alignment, rounded);
  if (data == nullptr) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
  // Advice only: a refusal changes nothing but speed.
  if (size >= kHugePage) ::madvise(data, rounded, MADV_HUGEPAGE);
#endif
  return {data, std::free};
}

}  // namespace anemone
