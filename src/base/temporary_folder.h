// A folder of one's own below the system's temporary one (TMPDIR), removed with all that is in it
// when the object goes. Thread rules: one owner. Errors: kIo when it cannot be made.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace anemone {

class TemporaryFolder {
 public:
  // `name` begins the folder's name, for who finds it after a crash.
  static Result<TemporaryFolder> Create(std::string_view name);
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view file) const { return path_ + "/" + std::string(file); }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace anemone
