// The limits of the check "files", which the code that examines the package needs too.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gate/limits.h"

namespace anemone::gate {

inline constexpr std::string_view kFilesKey = "files";

struct FilesPolicy : LimitsOf<FilesPolicy> {
  // Manifest keys that must have a value; null is "unknown", not complete.
  std::vector<std::string> manifest_keys = {"model", "backend", "precision", "accuracy_delta_l_inf",
                                            "accuracy_delta_rmse"};

  void Visit(LimitVisitor& visitor) override { visitor.Texts("manifest_keys", manifest_keys); }
};

}  // namespace anemone::gate
