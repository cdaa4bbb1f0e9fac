// WeightFiles: the weight files that a model refers to, mapped on first use, or taken from the
// archive that holds the package. Thread rules: one thread. Ownership: the returned Bytes keep the
// mapping alive, not this object.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/dtype.h"
#include "base/status.h"
#include "format/weight_reader.h"
#include "format/zipped_package.h"

namespace anemone::format {

class WeightFiles {
 public:
  // `folder` is where the model file is: what "@model_path" stands for.
  explicit WeightFiles(std::string folder) : folder_(std::move(folder)) {}
  explicit WeightFiles(std::shared_ptr<const ZippedPackage> package)
      : package_(std::move(package)) {}

  // The blob at `offset` of the file that `reference` names: `count` elements of `dtype`.
  Result<Bytes> Read(const std::string& reference, uint64_t offset, DType dtype, int64_t count);

 private:
  Result<WeightReader> Open(const std::string& reference) const;

  std::string folder_;
  std::shared_ptr<const ZippedPackage> package_;  // null: the files are in folder_
  std::map<std::string, WeightReader> readers_;   // by reference
};

}  // namespace anemone::format
