// New shapes are cheap: weights are decompressed and packed once for a model, whatever the number of
// shapes, and plans are kept. Counted, not timed.
#include <gtest/gtest.h>

#include <set>

#include "cpu/compiled.h"
#include "executor_test_util.h"

namespace anemone::cpu {
namespace {

// Two layers with compressed weights, over a dynamic number of rows, and a table that is gathered.
constexpr const char* kNet = R"(
func main<ios18>(tensor<fp32, [?, 64]> x, tensor<int32, [?]> i) {
  w1 = constexpr_cast(source_val = tensor<fp16, [128, 64]>(seed 1), output_dtype = "fp32");
  w2 = constexpr_cast(source_val = tensor<fp16, [64, 128]>(seed 2), output_dtype = "fp32");
  t = constexpr_cast(source_val = tensor<fp16, [128, 64]>(seed 3), output_dtype = "fp32");
  h = linear(x = x, weight = w1);
  r = relu(x = h);
  y = linear(x = r, weight = w2);
  z = gather(x = t, indices = i, axis = 0);
} -> (y, z);
)";

InputShapes RowsOf64(int64_t rows) { return {{"x", {rows, 64}}, {"i", {2}}}; }

class ShapesTest : public ::testing::Test {
 protected:
  ShapesTest()
      : model_(ModelFrom(kNet)),
        compiled_(model_, *model_->program.main(), exec::Numerics::kAsTyped) {}

  std::shared_ptr<const Plan> PlanFor(int64_t rows, bool trace = false) {
    auto plan = compiled_.PlanFor(RowsOf64(rows), trace, pool_);
    EXPECT_TRUE(plan.ok()) << plan.error().ToString();
    return plan.ok() ? *plan : nullptr;
  }

  std::shared_ptr<const ir::Model> model_;
  Compiled compiled_;
  ThreadPool pool_{2};
};

TEST_F(ShapesTest, WeightsAreDecompressedAndPackedOnce) {
  PlanFor(1);
  const Compiled::Counts first = compiled_.counts();
  EXPECT_EQ(first.plans, 1);
  EXPECT_EQ(first.packings, 2);
  EXPECT_EQ(first.foldings, 3);
  for (int64_t rows = 2; rows <= 20; ++rows) PlanFor(rows);
  const Compiled::Counts last = compiled_.counts();
  EXPECT_EQ(last.plans, 20);
  EXPECT_EQ(last.packings, first.packings);
  EXPECT_EQ(last.foldings, first.foldings);
}

TEST_F(ShapesTest, APlanSharesConstantsWithOthers) {
  const auto a = PlanFor(1), b = PlanFor(2);
  EXPECT_EQ(a->own_bytes, 0);
  EXPECT_EQ(b->own_bytes, 0);
  const auto constants = [](const Plan& plan) {
    std::set<const void*> found;
    for (const Buffer& buffer : plan.buffers) {
      if (buffer.kind == Buffer::Kind::kConstant) found.insert(buffer.data);
    }
    return found;
  };
  EXPECT_EQ(constants(*a), constants(*b));
  EXPECT_FALSE(constants(*a).empty());
}

TEST_F(ShapesTest, TheMostRecentlyUsedPlansAreKept) {
  const auto most = static_cast<int64_t>(Compiled::kKeptPlans);
  const auto first = PlanFor(1);
  for (int64_t rows = 2; rows <= most; ++rows) PlanFor(rows);
  EXPECT_EQ(PlanFor(1), first);  // used again: now the second one is the oldest
  PlanFor(most + 1);
  EXPECT_EQ(compiled_.counts().plans, most + 1);
  EXPECT_EQ(PlanFor(1), first);
  EXPECT_EQ(compiled_.counts().plans, most + 1);
  PlanFor(2);
  EXPECT_EQ(compiled_.counts().plans, most + 2);
}

TEST_F(ShapesTest, EveryShapeGivesTheReferencesNumbers) {
  auto executable = CpuBackend().Load(model_, {.function = {}, .threads = 1});
  ASSERT_TRUE(executable.ok()) << executable.error().ToString();
  for (const int64_t rows : {3, 1, 7, 3}) {
    const Tensors inputs = SeededInputs(*model_->program.main(), rows);
    const auto outputs = (*executable)->Run(inputs, nullptr, nullptr);
    ASSERT_TRUE(outputs.ok()) << outputs.error().ToString();
    ExpectSame(*outputs, RunReference(model_, inputs), 1e-5);
  }
}

}  // namespace
}  // namespace anemone::cpu
