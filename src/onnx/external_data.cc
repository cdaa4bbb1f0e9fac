#include "onnx/external_data.h"

#include <filesystem>
#include <system_error>

#include "base/mapped_file.h"

namespace anemone::onnx {

namespace fs = std::filesystem;

Result<Bytes> ExternalFiles::Open(const std::string& location) {
  if (const auto found = files_.find(location); found != files_.end()) return found->second;
  if (folder_.empty()) {
    return InvalidInput("external data '{}' cannot be found: the model was read from memory",
                        location);
  }
  if (location.empty() || location.find('\0') != std::string::npos) {
    return InvalidInput("the external data location is empty or holds a zero byte");
  }
  const fs::path relative(location);
  if (relative.is_absolute()) {
    return InvalidInput(
        "external data location '{}' is an absolute path; it must be beside the model", location);
  }
  for (const auto& part : relative) {
    if (part == "..") {
      return InvalidInput("external data location '{}' leads out of the model's folder", location);
    }
  }
  std::error_code error;
  const fs::path root = fs::canonical(folder_, error);
  if (error) return NotFound("the model's folder '{}' cannot be resolved", folder_);
  const fs::path full = fs::canonical(root / relative, error);
  if (error) {
    return NotFound("external data file '{}' is not in the model's folder", location)
        .Advise("copy the file that holds the weights next to the .onnx file");
  }
  const fs::path inside = full.lexically_relative(root);
  if (inside.empty() || *inside.begin() == "..") {
    return InvalidInput("external data location '{}' is a symbolic link out of the model's folder",
                        location);
  }
  ANEMONE_ASSIGN(Bytes bytes, MapFile(full.string()));
  return files_.emplace(location, std::move(bytes)).first->second;
}

Result<Bytes> ExternalFiles::Read(const std::string& location, uint64_t offset,
                                  std::optional<uint64_t> length, uint64_t size_bytes) {
  if (length && *length != size_bytes) {
    return InvalidInput("external data length is {} bytes, but type and dims need {}", *length,
                        size_bytes);
  }
  ANEMONE_ASSIGN(const Bytes file, Open(location));
  if (offset > file.size() || size_bytes > file.size() - offset) {
    return InvalidInput("external data needs bytes {} to {} of '{}', which has only {}", offset,
                        fmt::format("{}+{}", offset, size_bytes), location, file.size());
  }
  return file.Slice(offset, size_bytes);
}

}  // namespace anemone::onnx
