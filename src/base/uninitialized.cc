#include "base/uninitialized.h"

#include <sys/mman.h>

#include <new>

namespace anemone {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kAlignment = 64;

}  // namespace

std::shared_ptr<void> AllocateUninitialized(size_t size) {
  const auto alignment = static_cast<std::align_val_t>(size >= kHugePage ? kHugePage : kAlignment);
  void* data = ::operator new(size, alignment);
#ifdef MADV_HUGEPAGE
  // Advice only: a refusal changes nothing but speed.
  if (size >= kHugePage) ::madvise(data, size / kHugePage * kHugePage, MADV_HUGEPAGE);
#endif
  return {data, [alignment](void* memory) { ::operator delete(memory, alignment); }};
}

}  // namespace anemone
