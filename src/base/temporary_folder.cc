#include "base/temporary_folder.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace anemone {
namespace {

// Another thread, or a child that is being killed, may still write there.
void RemoveFolder(const std::string& path) {
  std::error_code error;
  for (int i = 0; i < 10; ++i) {
    std::filesystem::remove_all(path, error);
    if (!error) return;
  }
}

}  // namespace

Result<TemporaryFolder> TemporaryFolder::Create(std::string_view name) {
  std::error_code error;
  const std::filesystem::path root = std::filesystem::temp_directory_path(error);
  if (error) return IoError("cannot find a folder for temporary files: {}", error.message());
  std::string path = (root / (std::string(name) + "-XXXXXX")).string();
  TemporaryFolder folder;
  folder.leftover_ = Leftover([&]() -> Leftover::Clear {
    if (::mkdtemp(path.data()) == nullptr) return nullptr;
    folder.path_ = path;
    return [path] { RemoveFolder(path); };
  });
  if (folder.path_.empty()) return IoError("cannot make a temporary folder").At(path);
  return folder;
}

TemporaryFolder::~TemporaryFolder() {
  if (!path_.empty()) RemoveFolder(path_);
}

}  // namespace anemone
