// The tests of the Core ML backend, and the helper that they start for a first load.
#include <gtest/gtest.h>

#include <string_view>

#include "runtime/first_load.h"

// libobjc and GNUstep keep classes and caches for the life of the process.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libobjc.so\nleak:libgnustep-base.so\n";
}

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == anemone::runtime::kFirstLoadCommand) {
    return anemone::runtime::RunFirstLoadChild(argv[2]);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
