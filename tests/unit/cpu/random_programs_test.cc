// Random programs: the CPU executor against the reference interpreter, on every SIMD target, and its
// bits at any number of threads. ANEMONE_RANDOM_PROGRAMS=COUNT runs that many instead of the fixed
// sample, and ANEMONE_RANDOM_SEED says where they begin.
#include <cstdlib>
#include <string>

#include "executor_test_util.h"
#include "ir/text.h"
#include "random_programs.h"

namespace anemone::cpu {
namespace {

uint32_t FromEnvironment(const char* name, uint32_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : static_cast<uint32_t>(std::stoul(text));
}

void ExpectSameBits(const Tensors& got, const Tensors& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (const auto& [name, tensor] : expected) {
    ASSERT_EQ(got.at(name).shape(), tensor.shape()) << name;
    EXPECT_EQ(std::memcmp(got.at(name).view().data, tensor.view().data, tensor.size_bytes()), 0)
        << name << " differs with the number of threads";
  }
}

class RandomPrograms : public testing::TestWithParam<uint32_t> {};

// Each test case takes every eighth seed, so that ctest spreads them over the cores.
TEST_P(RandomPrograms, EqualTheReference) {
  const uint32_t begin = FromEnvironment("ANEMONE_RANDOM_SEED", 1);
  const uint32_t count = FromEnvironment("ANEMONE_RANDOM_PROGRAMS", 240);
  for (uint32_t seed = begin + GetParam(); seed < begin + count; seed += 8) {
    const RandomProgram program(seed);
    SCOPED_TRACE("seed " + std::to_string(seed) + "\n" + ir::PrintText(program.model()->program));
    const Tensors inputs = SeededInputs(*program.model()->program.main());
    const Tensors expected = RunReference(program.model(), inputs);
    ForEachTarget([&] {
      const Tensors one = RunCpu(program.model(), inputs, exec::Numerics::kAsTyped, 1);
      ExpectSame(one, expected, 1e-4);
      ExpectSameBits(RunCpu(program.model(), inputs, exec::Numerics::kAsTyped, 3), one);
    });
    if (HasFailure()) return;  // one program is enough to read
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomPrograms, testing::Range(0u, 8u));

}  // namespace
}  // namespace anemone::cpu
