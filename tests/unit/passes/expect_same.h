// Compares two forms of a function: floats within tolerance * (1 + the largest finite expected
// value), everything else to the bit.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "exec/tensor.h"

namespace anemone {

inline void ExpectSame(const std::vector<exec::Tensor>& wanted,
                       const std::vector<exec::Tensor>& got, double tolerance) {
  ASSERT_EQ(wanted.size(), got.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_EQ(wanted[i].shape(), got[i].shape());
    ASSERT_EQ(wanted[i].dtype(), got[i].dtype());
    if (wanted[i].dtype() != DType::kFp32) {
      EXPECT_EQ(0, std::memcmp(wanted[i].As<std::byte>(), got[i].As<std::byte>(),
                               wanted[i].size_bytes()));
      continue;
    }
    double largest = 0;
    for (int64_t k = 0; k < wanted[i].count(); ++k) {
      if (std::isfinite(wanted[i].As<float>()[k]))
        largest = std::max<double>(largest, std::abs(wanted[i].As<float>()[k]));
    }
    for (int64_t k = 0; k < wanted[i].count(); ++k) {
      const float a = wanted[i].As<float>()[k];
      const float b = got[i].As<float>()[k];
      const bool same = a == b || (std::isnan(a) && std::isnan(b)) ||
                        std::abs(a - b) <= tolerance * (1 + largest);
      ASSERT_TRUE(same) << "output " << i << " element " << k << ": " << a << " before, " << b
                        << " after";
    }
  }
}

}  // namespace anemone
