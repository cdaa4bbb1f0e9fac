#include "exec/kernel.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

namespace anemone::exec {
namespace {

using ir::Literal;
using ir::Opset;

Tensor FromLiteral(const Literal& literal) {
  Result<Tensor> tensor = Tensor::FromLiteral(literal);
  EXPECT_TRUE(tensor.ok()) << tensor.status().ToString();
  return std::move(tensor).value();
}

Status RunWith(KernelFn kernel) {
  const ir::OpArgs args(*ir::FindOpDef("relu"), Opset::kIOS15);
  KernelContext context(args, {}, nullptr);
  return RunKernel(kernel, context);
}

TEST(RunKernel, MemoryThatRunsOutIsAnError) {
  const Status no_memory = RunWith([](KernelContext&) -> Status { throw std::bad_alloc(); });
  ASSERT_FALSE(no_memory.ok());
  EXPECT_NE(no_memory.ToString().find("intermediate values of relu"), std::string::npos);
  const Status too_long =
      RunWith([](KernelContext&) -> Status { throw std::length_error("vector"); });
  EXPECT_FALSE(too_long.ok());
}

TEST(RunKernel, HandsOnTheKernelsOwnResult) {
  EXPECT_TRUE(RunWith([](KernelContext&) -> Status { return {}; }).ok());
  const Status failed = RunWith([](KernelContext&) -> Status { return Usage("on purpose"); });
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code(), ErrorCode::kUsage);
}

TEST(Evaluate, TakesConstantParametersTooLargeToCountAsKnown) {
  // 3 outputs of 2000 features: more elements than inference is given as known values.
  const int64_t features = 2000;
  const std::vector<float> ones(static_cast<size_t>(3 * features), 1.0f);
  const Literal weight = Literal::Fp32s(ones, {3, features});
  const Literal x =
      Literal::Fp32s(std::vector<float>(static_cast<size_t>(features), 0.5f), {features});
  const auto outputs = Evaluate(*ir::FindOpDef("linear"), Opset::kIOS15,
                                {{"x", {FromLiteral(x)}}, {"weight", {FromLiteral(weight)}}});
  ASSERT_TRUE(outputs.ok()) << outputs.status().ToString();
  ASSERT_EQ(outputs.value()[0].shape(), Shape{3});
  EXPECT_EQ(outputs.value()[0].As<float>()[2], 1000.0f);
}

TEST(Evaluate, RefusesAnOutputThatFitsNoMemory) {
  const Literal x = Literal::Fp32s({1}, {1, 1, 1});
  const Literal scale = Literal::Int32(2'000'000'000);
  const auto outputs = Evaluate(*ir::FindOpDef("upsample_nearest_neighbor"), Opset::kIOS15,
                                {{"x", {FromLiteral(x)}},
                                 {"scale_factor_height", {FromLiteral(scale)}},
                                 {"scale_factor_width", {FromLiteral(scale)}}});
  ASSERT_FALSE(outputs.ok());
  EXPECT_EQ(outputs.status().error().code(), ErrorCode::kInvalidInput);
}

TEST(Fold, DecompressesToTheDeclaredType) {
  const Literal data = *Literal::FromBytes(ir::Type::Tensor(DType::kInt8, {2}),
                                           Bytes::FromVector(std::vector<int8_t>{3, -5}));
  const Literal zero = *Literal::FromBytes(ir::Type::Scalar(DType::kInt8),
                                           Bytes::FromVector(std::vector<int8_t>{1}));
  const Literal scale = Literal::Fp16(0.5f);
  const Literal axis = Literal::Int32(0);
  const auto folded = Fold(*ir::FindOpDef("constexpr_affine_dequantize"), Opset::kIOS16,
                           {{"quantized_data", {&data}},
                            {"zero_point", {&zero}},
                            {"scale", {&scale}},
                            {"axis", {&axis}}});
  ASSERT_TRUE(folded.ok()) << folded.status().ToString();
  EXPECT_TRUE(folded.value()[0] == Literal::Floats(DType::kFp16, {1, -3}, {2}));
}

}  // namespace
}  // namespace anemone::exec
