#include "base/compute_unit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace anemone {
namespace {

using ::testing::HasSubstr;

TEST(ComputeUnitTest, NamesReadBackExactly) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kComputeUnitCount; ++i) {
    const auto unit = static_cast<ComputeUnit>(i);
    names.insert(ComputeUnitName(unit));
    EXPECT_EQ(ComputeUnitFromName(ComputeUnitName(unit)), unit);
  }
  EXPECT_EQ(names, (std::set<std::string_view>{"unknown", "cpu", "gpu", "ane", "mixed"}));
  EXPECT_FALSE(ComputeUnitFromName("ANE"));
  EXPECT_FALSE(ComputeUnitFromName(""));
}

TEST(ComputeUnitTest, OtherToolsSpellHardwareDifferently) {
  for (const std::string_view name :
       {"ane", "ANE", "ne", "neural_engine", "neuralEngine", "Neural Engine", "neural-engine",
        "MLNeuralEngineComputeDevice"}) {
    EXPECT_EQ(HardwareUnitFromAnyName(name), ComputeUnit::kAne) << name;
  }
  EXPECT_EQ(HardwareUnitFromAnyName("Gpu"), ComputeUnit::kGpu);
  EXPECT_EQ(HardwareUnitFromAnyName("MLGPUComputeDevice"), ComputeUnit::kGpu);
  EXPECT_EQ(HardwareUnitFromAnyName("MLCPUComputeDevice"), ComputeUnit::kCpu);
  for (const std::string_view name : {"", "unknown", "mixed", "all", "cpus"}) {
    EXPECT_FALSE(HardwareUnitFromAnyName(name)) << name;
  }
  for (const ComputeUnit unit : kHardwareUnits) {
    EXPECT_EQ(HardwareUnitFromAnyName(ComputeUnitName(unit)), unit);
  }
}

TEST(ComputeUnitsTest, NamesReadBackAndAWrongOneListsThem) {
  for (const std::string_view name : {"all", "cpu_only", "cpu_and_gpu", "cpu_and_ne"}) {
    const auto units = ComputeUnitsFromName(name);
    ASSERT_TRUE(units.ok()) << name;
    EXPECT_EQ(ComputeUnitsName(*units), name);
  }
  const auto wrong = ComputeUnitsFromName("gpu");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code(), ErrorCode::kUsage);
  EXPECT_THAT(wrong.status().ToString(), HasSubstr("all, cpu_only, cpu_and_gpu, cpu_and_ne"));
}

TEST(ComputeUnitsTest, AllowsWhatTheNameSays) {
  for (const ComputeUnits units : {ComputeUnits::kAll, ComputeUnits::kCpuOnly,
                                   ComputeUnits::kCpuAndGpu, ComputeUnits::kCpuAndNe}) {
    const std::string name(ComputeUnitsName(units));
    const bool all = units == ComputeUnits::kAll;
    EXPECT_TRUE(Allows(units, ComputeUnit::kCpu)) << name;
    EXPECT_EQ(Allows(units, ComputeUnit::kGpu), all || name.ends_with("gpu")) << name;
    EXPECT_EQ(Allows(units, ComputeUnit::kAne), all || name.ends_with("ne")) << name;
    EXPECT_FALSE(Allows(units, ComputeUnit::kUnknown)) << name;
    EXPECT_FALSE(Allows(units, ComputeUnit::kMixed)) << name;
  }
}

}  // namespace
}  // namespace anemone
