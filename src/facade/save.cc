#include "facade/save.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/atomic_file.h"
#include "format/package.h"
#include "ir/text.h"

namespace anemone::facade {

namespace {

Status WrongEnding(const std::string& path) {
  return Usage("cannot write '{}'", path)
      .Advise("name a .mlpackage (or .mil for the program's text)");
}

bool IsPackagePath(const std::string& path) {
  return path.ends_with(".mlpackage") || path.ends_with(".mlpackage/");
}

}  // namespace

Status CheckOutput(const std::string& path) {
  if (!IsPackagePath(path) && !path.ends_with(".mil")) return WrongEnding(path);
  std::string clean = path;
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  const std::filesystem::path parent = std::filesystem::path(clean).parent_path();
  const std::string folder = parent.empty() ? "." : parent.string();
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) {
    return IoError("there is no folder '{}'", folder).At(path).Advise("make it first");
  }
  if (!std::filesystem::is_directory(folder, error)) {
    return IoError("'{}' is not a folder", folder).At(path).Advise("name another output");
  }
  if (::access(folder.c_str(), W_OK | X_OK) != 0) {
    return IoError("cannot write into '{}': {}", folder, std::generic_category().message(errno))
        .At(path)
        .Advise("name another output, or change the folder's permissions");
  }
  // File systems take names of 255 bytes, and NAME.manifest.json, beside NAME.mlpackage, is longer.
  constexpr size_t kLongestName = 252;
  if (std::filesystem::path(clean).filename().string().size() > kLongestName) {
    return IoError("the name is longer than {} bytes", kLongestName).At(path).Advise("shorten it");
  }
  return {};
}

Status Save(const ir::Model& model, const std::string& path, TreeFacts* facts) {
  if (IsPackagePath(path)) return format::WritePackage(model, path, {.facts = facts});
  if (path.ends_with(".mil")) {
    return WriteAtomically(path, ir::PrintText(model.program));
  }
  return WrongEnding(path);
}

Result<int64_t> SizeOnDisk(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    const auto size = fs::file_size(path, error);
    if (error) return IoError("cannot read: {}", error.message()).At(path);
    return static_cast<int64_t>(size);
  }
  int64_t total = 0;
  fs::recursive_directory_iterator it(path, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (it->is_regular_file(error)) total += static_cast<int64_t>(it->file_size(error));
  }
  if (error) return IoError("cannot read: {}", error.message()).At(path);
  return total;
}

}  // namespace anemone::facade
