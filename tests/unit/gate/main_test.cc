// The tests of the gate, and the helper that they start for the measured calls: this binary again,
// with a backend that does what ANEMONE_TEST_DEATH says, "CALL:HOW". CALL is the number of the
// call, -1 the load; HOW a signal's number, or "exit" for a quiet exit(0).
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

#include "gate/sides_child.h"
#include "unit/runtime/fake_backend.h"

namespace {

using anemone::runtime::fakes::FakeBackend;
using anemone::runtime::fakes::Fault;

FakeBackend::Script Death(const std::string& text) {
  const size_t colon = text.find(':');
  const long long at = std::atoll(text.c_str());
  const std::string how = colon == std::string::npos ? "" : text.substr(colon + 1);
  return [=](anemone::ComputeUnits, int64_t call) {
    if (call != at || how.empty()) return Fault::kNone;
    if (how == "exit") ::_exit(0);
    const std::string_view words = "a fault, on purpose\n";
    (void)!::write(2, words.data(), words.size());
    const int number = std::atoi(how.c_str());
    std::signal(number, SIG_DFL);  // a sanitizer would catch it and exit instead
    ::kill(::getpid(), number);
    return Fault::kNone;
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == anemone::gate::kRunSidesCommand) {
    const char* death = std::getenv("ANEMONE_TEST_DEATH");
    if (death == nullptr) return anemone::gate::RunSidesChild(argv[2]);
    const FakeBackend backend(Death(death));
    return anemone::gate::RunSidesChild(argv[2], &backend);
  }
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
