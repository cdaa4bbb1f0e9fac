// Linear quantization against coremltools' own results (tests/fixtures/compress/linear.npz), and at
// the edges.
#include "compress/linear_codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "base/npy.h"
#include "test_paths.h"

namespace anemone::compress {
namespace {

constexpr DType kDTypes[] = {DType::kInt8, DType::kUInt8, DType::kInt4, DType::kUInt4};
constexpr LinearMode kModes[] = {LinearMode::kSymmetric, LinearMode::kAsymmetric};
constexpr int kColumns = 15;

ir::Literal Fp32(std::vector<float> values, ir::Shape shape) {
  return ir::Literal::Fp32s(std::move(values), shape);
}

int OffsetOf(const LinearTensor& tensor, size_t i) {
  const int bits = tensor.offset[i];  // NOLINT(bugprone-signed-char-misuse): a number
  return IsUnsignedInt(tensor.data.dtype()) && bits < 0 ? bits + 256 : bits;
}

TEST(LinearCodec, EqualsCoremltoolsToTheBit) {
  const auto fixture =
      ReadNpz(std::string(test::kSourceDir) + "/tests/fixtures/compress/linear.npz");
  ASSERT_TRUE(fixture.ok()) << fixture.status().ToString();
  std::map<std::string, NpyArray> arrays(fixture->begin(), fixture->end());
  const auto cases = arrays["cases"].data.As<int32_t>();
  const auto weights = arrays["weights"].data.As<float>();
  const auto data = arrays["data"].data.As<int16_t>();
  const auto scales = arrays["scales"].data.As<float>();
  const auto offsets = arrays["offsets"].data.As<int16_t>();
  ASSERT_GT(cases.size(), 400u * kColumns);
  for (size_t row = 0; row * kColumns < cases.size(); ++row) {
    const auto field = cases.subspan(row * kColumns, kColumns);
    ir::Shape shape;
    ir::Shape blocks;
    size_t count = 1;
    for (size_t i = 0; i < 4 && field[i] >= 0; ++i) {
      shape.push_back(field[i]);
      blocks.push_back(field[4 + i]);
      count *= static_cast<size_t>(field[i]);
    }
    const DType dtype = kDTypes[field[8]];
    const LinearMode mode = kModes[field[9]];
    const auto part = weights.subspan(static_cast<size_t>(field[11]), count);
    const ir::Literal weight = ir::Literal::Floats(field[10] != 0 ? DType::kFp16 : DType::kFp32,
                                                   {part.begin(), part.end()}, shape);
    SCOPED_TRACE(fmt::format("row {}: {} {} mode {} blocks {}", row, weight.type().ToString(),
                             DTypeName(dtype), field[9], ir::ShapeToString(blocks)));
    const auto got = QuantizeLinear(weight, blocks, dtype, mode);
    ASSERT_TRUE(got.ok()) << got.status().ToString();
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ(data[static_cast<size_t>(field[12]) + i],
                ir::IntElement(got->data.bytes(), dtype, static_cast<int64_t>(i)))
          << "element " << i << " of value " << part[i];
    }
    for (size_t i = 0; i < got->scale.size(); ++i) {
      ASSERT_EQ(scales[static_cast<size_t>(field[13]) + i], got->scale[i]) << "scale " << i;
    }
    ASSERT_EQ(field[14] < 0, got->offset.empty());
    for (size_t i = 0; i < got->offset.size(); ++i) {
      ASSERT_EQ(offsets[static_cast<size_t>(field[14]) + i], OffsetOf(*got, i)) << "offset " << i;
    }
    // The decompressed values differ by what the codec reports, up to rounding (of half
    // quotients, too).
    if (field[10] != 0) continue;
    const auto back = DequantizeLinear(*got, DType::kFp32);
    ASSERT_TRUE(back.ok());
    double worst = 0;
    for (size_t i = 0; i < count; ++i)
      worst = std::max<double>(worst, std::abs(back->As<float>()[i] - part[i]));
    EXPECT_NEAR(got->max_error, worst, 1e-3 * (1e-30 + std::abs(worst)));
    EXPECT_LE(got->rms_error, got->max_error * (1 + 1e-6));
  }
}

TEST(LinearCodec, ErrorIsAtMostHalfAStep) {
  std::vector<float> values;
  for (int i = 0; i < 3000; ++i)
    values.push_back(std::sin(0.37f * static_cast<float>(i)) * static_cast<float>(i % 17));
  for (const DType dtype : kDTypes) {
    for (const LinearMode mode : kModes) {
      const auto got = QuantizeLinear(Fp32(values, {3, 1000}), {0, 0}, dtype, mode);
      ASSERT_TRUE(got.ok());
      // The offset is rounded too, so an asymmetric range may be off by one step at its ends.
      const double steps = mode == LinearMode::kSymmetric ? 0.5 : 1.0;
      EXPECT_LE(got->max_error, steps * got->scale[0] * 1.0001) << DTypeName(dtype);
    }
  }
}

TEST(LinearCodec, HugeValuesKeepAFiniteScale) {
  const float huge = std::numeric_limits<float>::max();
  const auto symmetric =
      QuantizeLinear(Fp32({huge, -huge, 0, huge / 2}, {2, 2}), {0, 0}, DType::kInt8, kModes[0]);
  ASSERT_TRUE(symmetric.ok()) << symmetric.status().ToString();
  EXPECT_EQ(symmetric->scale[0], static_cast<float>(double{huge} * 2 / 254));
  const auto data = symmetric->data.As<int8_t>();
  EXPECT_EQ(data[0], 127);
  EXPECT_EQ(data[1], -127);
  EXPECT_EQ(data[2], 0);
  EXPECT_NEAR(data[3], 64, 1);
  const auto asymmetric =
      QuantizeLinear(Fp32({huge, -huge, 0, huge / 2}, {2, 2}), {0, 0}, DType::kUInt8, kModes[1]);
  ASSERT_TRUE(asymmetric.ok());
  EXPECT_TRUE(std::isfinite(asymmetric->scale[0]));
  EXPECT_NEAR(OffsetOf(*asymmetric, 0), 127.5, 0.6);
  // The same for half, whose largest is 65504: twice that is beyond it.
  const auto half =
      QuantizeLinear(ir::Literal::Floats(DType::kFp16, {65504, -65504, 0, 32752}, {2, 2}), {0, 0},
                     DType::kInt8, kModes[0]);
  ASSERT_TRUE(half.ok());
  EXPECT_NEAR(half->scale[0], 65504.0 / 127, 0.5);
  EXPECT_EQ(half->data.As<int8_t>()[1], -127);
}

TEST(LinearCodec, ZerosStayZero) {
  for (const DType dtype : kDTypes) {
    for (const LinearMode mode : kModes) {
      const auto got = QuantizeLinear(ir::Literal::Zeros(ir::Type::Tensor(DType::kFp32, {3, 5})),
                                      {0, 0}, dtype, mode);
      ASSERT_TRUE(got.ok());
      EXPECT_EQ(got->scale[0], 0);
      EXPECT_EQ(got->max_error, 0);
      const auto back = DequantizeLinear(*got, DType::kFp32);
      ASSERT_TRUE(back.ok());
      for (const float value : back->As<float>()) EXPECT_EQ(value, 0);
    }
  }
}

TEST(LinearCodec, EmptyTensors) {
  const auto got = QuantizeLinear(ir::Literal::Zeros(ir::Type::Tensor(DType::kFp32, {0, 5})),
                                  {0, 0}, DType::kInt8, LinearMode::kSymmetric);
  ASSERT_TRUE(got.ok()) << got.status().ToString();
  EXPECT_EQ(got->data.element_count(), 0);
  const auto blocks = QuantizeLinear(ir::Literal::Zeros(ir::Type::Tensor(DType::kFp32, {0, 5})),
                                     {1, 0}, DType::kInt8, LinearMode::kSymmetric);
  ASSERT_TRUE(blocks.ok());
  EXPECT_TRUE(blocks->scale.empty());
}

TEST(LinearCodec, Refusals) {
  const ir::Literal weight = Fp32({1, 2, 3, 4}, {2, 2});
  EXPECT_FALSE(QuantizeLinear(ir::Literal::Int32s({1, 2}), {0}, DType::kInt8, kModes[0]).ok());
  EXPECT_FALSE(QuantizeLinear(weight, {0, 0}, DType::kInt32, kModes[0]).ok());
  EXPECT_FALSE(QuantizeLinear(weight, {0}, DType::kInt8, kModes[0]).ok());
  EXPECT_FALSE(QuantizeLinear(weight, {0, 3}, DType::kInt8, kModes[0]).ok());
  EXPECT_FALSE(QuantizeLinear(weight, {0, -1}, DType::kInt8, kModes[0]).ok());
}

// A channel so small that its scale is 0 in the dtype is kept exactly, in steps of the smallest
// number.
TEST(LinearCodec, ChannelsNextToZero) {
  const float tiny = std::numeric_limits<float>::denorm_min();
  const ir::Literal single = Fp32({3 * tiny, -5 * tiny, 0, 1}, {2, 2});
  const float step = HalfToFloat(1);
  const ir::Literal half = ir::Literal::Floats(DType::kFp16, {3 * step, -5 * step, 0, 1}, {2, 2});
  for (const LinearMode mode : kModes) {
    for (const ir::Literal& weight : {single, half}) {
      const auto got = QuantizeLinear(weight, {1, 0}, DType::kInt8, mode);
      ASSERT_TRUE(got.ok()) << got.status().ToString();
      const auto back = DequantizeLinear(*got, weight.dtype());
      ASSERT_TRUE(back.ok());
      EXPECT_EQ((*back->AsFloats())[0], (*weight.AsFloats())[0]);
      EXPECT_EQ((*back->AsFloats())[1], (*weight.AsFloats())[1]);
    }
  }
}

}  // namespace
}  // namespace anemone::compress
