#include "lab/ship.h"

#include <gmock/gmock.h>

#include "lab/verify.h"
#include "lab_fixture.h"

namespace anemone::lab {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class ShipTest : public ::testing::Test {
 protected:
  ShipTest() : subject_(SubjectOf(kClassifier, 4, /*learned=*/4)) { options_.threads = 1; }

  Shipped Ship() {
    auto shipped = ShipInt8(subject_, options_);
    EXPECT_TRUE(shipped.ok()) << shipped.error().ToString();
    return std::move(shipped).value();
  }
  // The error of 8 bits everywhere, as a part of int8's limits.
  double Everywhere() {
    options_.limits = kInt8Limits;
    options_.share = kInfinity;
    const double worst = Ship().worst;
    options_.share = 0.8;
    return worst;
  }
  // Limits of which that error is `times` as large as the search may use.
  void Tighten(double times) {
    const double factor = Everywhere() / (times * options_.share);
    options_.limits = {kInt8Limits.linf * factor, kInt8Limits.rmse * factor};
  }

  LabSubject subject_;
  ShipOptions options_;
};

TEST_F(ShipTest, KeepsNothingWideThatNeedNotBe) {
  Tighten(0.9);
  const Shipped shipped = Ship();
  EXPECT_TRUE(shipped.within);
  EXPECT_THAT(shipped.kept, IsEmpty());
  EXPECT_THAT(shipped.report.compressed, SizeIs(3));
  for (const compress::TensorRecord& tensor : shipped.report.compressed)
    EXPECT_EQ(tensor.form, "int8 per_channel gptq") << tensor.name;
}

TEST_F(ShipTest, KeepsTheWeightsWideThatTheLimitsAskFor) {
  Tighten(1.2);
  const Shipped shipped = Ship();
  EXPECT_TRUE(shipped.within);
  ASSERT_FALSE(shipped.kept.empty());
  ASSERT_LT(shipped.kept.size(), 3u);
  for (const compress::TensorRecord& tensor : shipped.report.compressed)
    EXPECT_NE(tensor.name, shipped.kept[0]);
  // What it says of the variant is what running it says.
  std::vector<Inputs> inputs;
  for (int64_t i = 0; i < subject_.samples().count(); ++i)
    inputs.push_back(subject_.samples().at(i));
  const auto outputs = VerifyOn(subject_.backend(), subject_.reference(), shipped.model,
                                options_.limits, {.threads = 1}, inputs);
  ASSERT_TRUE(outputs.ok());
  EXPECT_TRUE((*outputs)[0].judged.passed);
  EXPECT_LE((*outputs)[0].judged.rmse, options_.share * options_.limits.rmse);
}

TEST_F(ShipTest, SaysWhenThereIsNoRoom) {
  Tighten(1.2);
  options_.max_weight_bytes = 1;
  const Shipped shipped = Ship();
  EXPECT_FALSE(shipped.within);
  EXPECT_GT(shipped.worst, options_.share);
  EXPECT_THAT(shipped.kept, IsEmpty());
}

TEST_F(ShipTest, NeedsInputsToLearnFrom) {
  const LabSubject without = SubjectOf();
  const auto shipped = ShipInt8(without, options_);
  ASSERT_FALSE(shipped.ok());
  EXPECT_EQ(shipped.error().code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace anemone::lab
