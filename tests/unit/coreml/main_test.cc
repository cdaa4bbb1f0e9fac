// The tests of the Core ML backend, and the helper that they start for a first load or the gate's
// measured calls.
#include <gtest/gtest.h>

#include <string_view>

#include "gate/sides_child.h"
#include "runtime/first_load.h"

namespace {
// In the helper, the output of a leak check at its end would look like its verdict.
bool in_helper = false;
}  // namespace

// Called by the leak checker, which looks the two up by name.
#define ANEMONE_FOR_SANITIZER extern "C" __attribute__((visibility("default"), used))
// libobjc and GNUstep keep classes and caches for the life of the process.
ANEMONE_FOR_SANITIZER const char* __lsan_default_suppressions() {  // NOLINT: its name
  return "leak:libobjc.so\nleak:libgnustep-base.so\n";
}
ANEMONE_FOR_SANITIZER int __lsan_is_turned_off() { return in_helper ? 1 : 0; }  // NOLINT

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == anemone::runtime::kFirstLoadCommand) {
    in_helper = true;
    return anemone::runtime::RunFirstLoadChild(argv[2]);
  }
  if (argc == 3 && std::string_view(argv[1]) == anemone::gate::kRunSidesCommand) {
    in_helper = true;
    return anemone::gate::RunSidesChild(argv[2]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
