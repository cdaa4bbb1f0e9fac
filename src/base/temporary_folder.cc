#include "base/temporary_folder.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace anemone {

Result<TemporaryFolder> TemporaryFolder::Create(std::string_view name) {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::temp_directory_path(error);
  if (error) return IoError("there is no folder for temporary files: {}", error.message());
  std::string path = (root / (std::string(name) + "-XXXXXX")).string();
  if (::mkdtemp(path.data()) == nullptr) {
    return IoError("cannot make a temporary folder").At(path);
  }
  return TemporaryFolder(std::move(path));
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace anemone
