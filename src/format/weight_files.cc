#include "format/weight_files.h"

#include "format/package_layout.h"

namespace anemone::format {

Result<WeightReader> WeightFiles::Open(const std::string& reference) const {
  if (package_ != nullptr) {
    ANEMONE_ASSIGN(Bytes file, package_->Find(reference));
    return WeightReader::FromBytes(std::move(file), reference);
  }
  ANEMONE_ASSIGN(const std::string path, ResolveModelPath(folder_, reference));
  return WeightReader::Open(path);
}

Result<Bytes> WeightFiles::Read(const std::string& reference, uint64_t offset, DType dtype,
                                int64_t count) {
  auto found = readers_.find(reference);
  if (found == readers_.end()) {
    ANEMONE_ASSIGN(WeightReader reader, Open(reference));
    found = readers_.emplace(reference, std::move(reader)).first;
  }
  return found->second.Read(offset, dtype, count);
}

}  // namespace anemone::format
