// What the writers of a compiled model's parts share: whom the output follows, and the refusal of
// what nobody has shown. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace anemone::format {

// The release of Core ML's compiler that a program's text names as its maker: the one whose output
// is followed.
struct CompilerVersions {
  std::string coremlc = "3500.32.1";
  std::string mil = "3500.14.1";
};

inline constexpr std::string_view kUnseenAdvice =
    "compile the package with coremlc on a Mac, or ship the .mlpackage and let the app compile it";

// kUnsupported: no public output of Core ML's compiler shows the form of `what`.
inline Error UnseenForm(std::string_view what) {
  return Unsupported("no public compiled model shows how {} is written", what)
      .Advise(kUnseenAdvice);
}

}  // namespace anemone::format
