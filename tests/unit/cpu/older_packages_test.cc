// Packages as each coremltools wrote them (tests/oracle/make_older_packages.py): they open, run, and
// give what NumPy gives.
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "base/json.h"
#include "cpu/cpu_backend.h"
#include "format/package.h"
#include "ir/verifier.h"
#include "support/scratch.h"
#include "test_paths.h"

namespace anemone {
namespace {

const std::filesystem::path kFolder =
    std::filesystem::path(test::kSourceDir) / "tests/fixtures/packages";

std::vector<float> FloatsOf(const Json& json) {
  std::vector<float> values;
  for (const Json& value : json) values.push_back(static_cast<float>(value.number()));
  return values;
}

class OlderPackages : public ::testing::TestWithParam<const char*> {};

TEST_P(OlderPackages, RunAndAgreeWithNumPy) {
  auto read =
      format::ReadModel((kFolder / (std::string("by_") + GetParam() + ".mlpackage")).string());
  ASSERT_TRUE(read.ok()) << read.error().ToString();
  ASSERT_TRUE(ir::Verify(read->program).ok());
  const auto model = std::make_shared<const ir::Model>(std::move(*read));
  const auto json = ParseJson(test::ReadText(kFolder / "older_packages.json"));
  ASSERT_TRUE(json.ok());
  const std::vector<float> x = FloatsOf(*json->Find("x")), y = FloatsOf(*json->Find("y"));
  auto executable = cpu::CpuBackend().Load(model, {.function = {}, .threads = 1});
  ASSERT_TRUE(executable.ok()) << executable.error().ToString();
  const auto outputs =
      (*executable)
          ->Run({{"x", *exec::Tensor::Copy({DType::kFp32, {1, 3, 4, 4}, x.data()})}}, nullptr,
                nullptr);
  ASSERT_TRUE(outputs.ok()) << outputs.error().ToString();
  const exec::Tensor& got = outputs->at("y");
  ASSERT_EQ(got.count(), std::ssize(y));
  for (size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(got.As<float>()[i], y[i], 4e-3) << i;
}

INSTANTIATE_TEST_SUITE_P(Coremltools, OlderPackages,
                         ::testing::Values("5.0", "5.2", "6.3", "7.0", "7.2", "8.3", "9.0",
                                           "9.0_ios26"),
                         [](const auto& test) {
                           std::string name = test.param;
                           for (char& c : name) c = c == '.' ? '_' : c;
                           return name;
                         });

}  // namespace
}  // namespace anemone
