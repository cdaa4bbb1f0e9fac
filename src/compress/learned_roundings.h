// Learned roundings, shared by all who compress the same weights with the same inputs: a sweep
// learns each once. Thread rules: any number of threads.
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "compress/linear_codec.h"

namespace anemone::compress {

class LearnedRoundings {
 public:
  std::optional<LinearTensor> Find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    const auto found = tensors_.find(key);
    return found == tensors_.end() ? std::nullopt : std::optional(found->second);
  }
  void Keep(const std::string& key, const LinearTensor& tensor) {
    const std::lock_guard lock(mutex_);
    tensors_.emplace(key, tensor);
  }

 private:
  std::mutex mutex_;
  std::map<std::string, LinearTensor> tensors_;
};

}  // namespace anemone::compress
