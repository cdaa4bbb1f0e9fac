// A private folder below the system's temporary one (TMPDIR), removed with everything in it when
// the object is destroyed or the process ends (leftovers.h). Thread rules: one owner. Errors: kIo
// when it cannot be made.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/leftovers.h"
#include "base/status.h"

namespace anemone {

class TemporaryFolder {
 public:
  // The folder's name begins with `name`, to identify it after a crash.
  static Result<TemporaryFolder> Create(std::string_view name);
  TemporaryFolder(TemporaryFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), leftover_(std::move(other.leftover_)) {}
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(leftover_, other.leftover_);
    return *this;
  }
  ~TemporaryFolder();

  const std::string& path() const { return path_; }
  std::string operator/(std::string_view file) const { return path_ + "/" + std::string(file); }

 private:
  TemporaryFolder() = default;
  std::string path_;
  Leftover leftover_;
};

}  // namespace anemone
