// External data: weights that an ONNX file keeps in other files beside it. Those files are mapped,
// each once. A location may only name a regular file inside the model's own folder: no absolute
// path, no "..", no symlink that leads out. Ownership: keeps nothing open; the Bytes returned keep
// their mapping. Thread rules: one thread. Errors: kInvalidInput for a location, offset or length
// that breaks a rule, kNotFound / kIo from the system.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/status.h"

namespace anemone::onnx {

class ExternalFiles {
 public:
  // `folder` is the model's folder; empty when the model has none (read from memory): then every
  // location is refused.
  explicit ExternalFiles(std::string folder) : folder_(std::move(folder)) {}

  // `size_bytes` bytes at `offset` of the file at `location`; `length`, when given, must equal
  // `size_bytes`.
  Result<Bytes> Read(const std::string& location, uint64_t offset, std::optional<uint64_t> length,
                     uint64_t size_bytes);

 private:
  Result<Bytes> Open(const std::string& location);

  std::string folder_;
  std::map<std::string, Bytes> files_;
};

}  // namespace anemone::onnx
