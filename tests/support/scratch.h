// ScratchFolder: an empty folder for one test, removed when the test ends in any way.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include "base/temporary_folder.h"

namespace anemone::test {

class ScratchFolder {
 public:
  ScratchFolder() : folder_(TemporaryFolder::Create("anemone-test").value()) {}

  const std::filesystem::path& path() const { return path_; }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  // How many entries the folder has, hidden ones included.
  size_t entries() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_),
                                             std::filesystem::directory_iterator()));
  }

 private:
  TemporaryFolder folder_;
  std::filesystem::path path_{folder_.path()};
};

// Whole files as text, folders made as needed.
inline std::string ReadText(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}
inline void WriteText(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary)
      .write(text.data(), static_cast<std::streamsize>(text.size()));
}

}  // namespace anemone::test
