// A weight file of any supported kind, told by its content: safetensors (one file or a sharded
// index), PyTorch (zip or legacy), .npz. Ownership: tensors keep the mapping alive. Thread rules:
// immutable after opening. Errors: those of the format's reader; kUnsupported for other kinds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "acquire/safetensors.h"
#include "base/bytes.h"
#include "base/status.h"

namespace anemone::acquire {

class WeightFile {
 public:
  static Result<WeightFile> Open(const std::string& path);
  WeightFile(std::string format, std::vector<NamedTensor> tensors);

  // "safetensors", "pytorch" or "npz".
  const std::string& format() const { return format_; }
  // Sorted by name, names unique.
  const std::vector<NamedTensor>& tensors() const { return tensors_; }
  // nullptr when absent. The pointer lives as long as this object.
  const NamedTensor* Find(std::string_view name) const;

 private:
  std::string format_;
  std::vector<NamedTensor> tensors_;
};

}  // namespace anemone::acquire
