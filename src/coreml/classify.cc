#include "coreml/classify.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace anemone::coreml {
namespace {

using exec::FailureKind;

// MLModelError (MLModelError.h).
constexpr int64_t kFeatureType = 1;

bool Mentions(std::string_view text, std::string_view words) {
  const auto same = [](char a, char b) {
    return a == b || (a >= 'A' && a <= 'Z' && a - 'A' + 'a' == b);
  };
  return std::search(text.begin(), text.end(), words.begin(), words.end(), same) != text.end();
}

}  // namespace

exec::FailureKind Classify(exec::FailureKind stage, const Cause& cause) {
  if (cause.domain == "NSPOSIXErrorDomain") {
    if (cause.code == ENOMEM) return FailureKind::kMemoryPressure;
    if (cause.code == ETIMEDOUT) return FailureKind::kTimeout;
  }
  if (cause.domain == "NSMallocException") return FailureKind::kMemoryPressure;
  // Core ML has one code (0) for most errors; only the text distinguishes them.
  constexpr std::array<std::string_view, 4> kMemory{"out of memory", "allocate memory",
                                                    "memory pressure", "memory allocation"};
  for (const std::string_view words : kMemory) {
    if (Mentions(cause.text, words)) return FailureKind::kMemoryPressure;
  }
  if (Mentions(cause.text, "timed out")) return FailureKind::kTimeout;
  if (cause.domain == "com.apple.CoreML" && cause.code == kFeatureType) {
    return FailureKind::kSchemaMismatch;
  }
  return stage;
}

}  // namespace anemone::coreml
