// Numbers of one dtype read as another: exactly, or not at all.
#include "exec/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace anemone::exec {
namespace {

template <typename T>
ir::Literal Numbers(DType dtype, std::vector<T> values) {
  const ir::Type type = ir::Type::Tensor(dtype, {std::ssize(values)});
  return *ir::Literal::FromBytes(type, Bytes::FromVector(std::move(values)));
}

std::string ErrorOf(const Result<Tensor>& tensor) {
  return tensor.ok() ? "it is taken" : tensor.error().ToString();
}

TEST(TensorFromLiteral, RefusesIntegersBeyond32Bits) {
  const auto fits = Tensor::FromLiteral(Numbers<int64_t>(DType::kInt64, {INT32_MIN, INT32_MAX}));
  ASSERT_TRUE(fits.ok()) << ErrorOf(fits);
  EXPECT_EQ(fits->As<int32_t>()[0], INT32_MIN);
  EXPECT_EQ(fits->As<int32_t>()[1], INT32_MAX);
  EXPECT_NE(ErrorOf(Tensor::FromLiteral(Numbers<int64_t>(DType::kInt64, {0, 1LL << 40})))
                .find("holds 1099511627776 at 1"),
            std::string::npos);
  EXPECT_FALSE(Tensor::FromLiteral(Numbers<uint32_t>(DType::kUInt32, {1U << 31})).ok());
}

TEST(ConvertExactly, TakesWhatFitsAndNamesWhatDoesNot) {
  const auto whole =
      ConvertExactly(Numbers<double>(DType::kFp64, {-2.0, 2147483647.0}), DType::kInt32);
  ASSERT_TRUE(whole.ok()) << ErrorOf(whole);
  EXPECT_EQ(whole->As<int32_t>()[1], INT32_MAX);
  const auto floats = ConvertExactly(Numbers<int64_t>(DType::kInt64, {1LL << 40}), DType::kFp32);
  ASSERT_TRUE(floats.ok()) << ErrorOf(floats);
  EXPECT_EQ(floats->As<float>()[0], 1099511627776.0f);
  const auto flags = ConvertExactly(Numbers<int32_t>(DType::kInt32, {0, 1}), DType::kBool);
  ASSERT_TRUE(flags.ok()) << ErrorOf(flags);
  EXPECT_EQ(flags->As<uint8_t>()[1], 1);

  const std::pair<ir::Literal, DType> refused[] = {
      {Numbers<int64_t>(DType::kInt64, {0, 1LL << 31}), DType::kInt32},
      {Numbers<double>(DType::kFp64, {0, 1e300}), DType::kInt32},
      {Numbers<float>(DType::kFp32, {0, NAN}), DType::kInt32},
      {Numbers<float>(DType::kFp32, {0, 0.5f}), DType::kInt32},
      {Numbers<int32_t>(DType::kInt32, {0, 128}), DType::kInt8},
      {Numbers<int32_t>(DType::kInt32, {0, -1}), DType::kUInt8},
      {Numbers<int32_t>(DType::kInt32, {0, 65536}), DType::kUInt16},
      {Numbers<int32_t>(DType::kInt32, {0, 2}), DType::kBool},
  };
  for (const auto& [from, wanted] : refused) {
    const std::string error = ErrorOf(ConvertExactly(from, wanted));
    EXPECT_NE(error.find("at 1 does not fit"), std::string::npos)
        << error << ": " << from.ToString() << " as " << DTypeName(wanted);
  }
}

}  // namespace
}  // namespace anemone::exec
