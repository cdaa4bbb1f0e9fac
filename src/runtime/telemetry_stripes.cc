#include "runtime/telemetry_stripes.h"

#include <algorithm>
#include <functional>
#include <vector>

namespace anemone::runtime {
namespace {

struct Numbers {
  std::mutex mutex;
  std::vector<size_t> free;  // a heap, the smallest first
  size_t next = 0;
};

// Never destroyed: threads may outlive the statics.
Numbers& AllNumbers() {
  static auto* const numbers = new Numbers;
  return *numbers;
}

struct Number {
  size_t value;
  Number() {
    Numbers& all = AllNumbers();
    const std::lock_guard lock(all.mutex);
    if (all.free.empty()) {
      value = all.next++;
    } else {
      std::pop_heap(all.free.begin(), all.free.end(), std::greater<>());
      value = all.free.back();
      all.free.pop_back();
    }
  }
  ~Number() {
    Numbers& all = AllNumbers();
    const std::lock_guard lock(all.mutex);
    all.free.push_back(value);
    std::push_heap(all.free.begin(), all.free.end(), std::greater<>());
  }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
};

}  // namespace

size_t ThreadNumber() {
  thread_local const Number number;
  return number.value;
}

}  // namespace anemone::runtime
