// A first look at a file that has just arrived, judged by its name: enough to tell a weight file
// from an error page, a Git LFS pointer or a truncated archive before it enters the cache. Readers
// check everything later. Thread rules: pure functions. Errors: kInvalidInput.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace anemone::acquire {

Status CheckContent(const std::string& path, std::string_view file_name);

}  // namespace anemone::acquire
