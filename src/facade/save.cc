#include "facade/save.h"

#include <filesystem>

#include "base/atomic_file.h"
#include "format/package.h"
#include "ir/text.h"

namespace anemone::facade {

Status Save(const ir::Model& model, const std::string& path) {
  if (path.ends_with(".mlpackage") || path.ends_with(".mlpackage/"))
    return format::WritePackage(model, path);
  if (path.ends_with(".mil")) {
    return WriteAtomically(path, ir::PrintText(model.program));
  }
  return Usage("cannot write '{}'", path)
      .Advise("name a .mlpackage (or .mil for the program's text)");
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
