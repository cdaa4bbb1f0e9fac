// Palettes and pruning of single tensors, against coremltools' results for the same weights
// (tests/oracle/make_compress_fixture.py), and by themselves.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/npy.h"
#include "base/random.h"
#include "compress/magnitude_pruning.h"
#include "compress/pack_bits.h"
#include "compress/palette_codec.h"
#include "compress/threshold_pruning.h"
#include "test_paths.h"

namespace anemone::compress {
namespace {

const std::map<std::string, NpyArray>& Fixture() {
  static const std::map<std::string, NpyArray> arrays = [] {
    auto read = ReadNpz(std::string(test::kSourceDir) + "/tests/fixtures/compress/codecs.npz");
    EXPECT_TRUE(read.ok()) << read.status().ToString();
    std::map<std::string, NpyArray> result;
    if (read.ok()) {
      for (auto& [name, array] : *read) result[name] = array;
    }
    return result;
  }();
  return arrays;
}

ir::Literal FromFixture(const std::string& name) {
  const NpyArray& array = Fixture().at(name);
  return *ir::Literal::FromBytes(ir::Type::Tensor(array.dtype, array.shape), array.data);
}

double SquaredError(const ir::Literal& a, const ir::Literal& b) {
  const auto x = *a.AsFloats();
  const auto y = *b.AsFloats();
  EXPECT_EQ(x.size(), y.size());
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += (double{x[i]} - y[i]) * (double{x[i]} - y[i]);
  return sum;
}

std::vector<float> Dense(const SparseTensor& sparse) {
  const std::vector<float> kept = *sparse.values.AsFloats();
  std::vector<float> dense;
  size_t next = 0;
  for (const uint8_t set : sparse.mask) dense.push_back(set != 0 ? kept[next++] : 0.0f);
  EXPECT_EQ(next, kept.size());
  return dense;
}

MagnitudeConfig Share(double sparsity) { return {.target_sparsity = sparsity}; }
MagnitudeConfig Blocks(double sparsity, int64_t size, int dim) {
  return {.target_sparsity = sparsity, .block_size = size, .dim = dim};
}
MagnitudeConfig Ratio(int64_t n, int64_t m, int dim) {
  return {.n_m_ratio = std::pair(n, m), .dim = dim};
}

TEST(Prune, SameElementsAsCoremltools) {
  const ThresholdConfig threshold{.threshold = 0.03, .minimum_sparsity_percentile = 0.2};
  const std::vector<OpConfig> cases = {Share(0.6),        Share(0),          Share(1),
                                       Share(0.75),       Blocks(0.5, 4, 0), Blocks(0.7, 4, 1),
                                       Blocks(0.5, 5, 0), Ratio(2, 4, 1),    Ratio(3, 4, 1),
                                       Ratio(1, 2, 0),    threshold,         threshold};
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const ir::Literal weight = FromFixture("prune" + std::to_string(i) + "_weight");
    const auto* magnitude = cases[i].As<MagnitudeConfig>();
    const auto got = magnitude != nullptr ? PruneByMagnitude(weight, *magnitude)
                                          : PruneByThreshold(weight, threshold);
    ASSERT_TRUE(got.ok()) << got.status().ToString();
    const std::vector<float> wanted =
        *FromFixture("prune" + std::to_string(i) + "_dense").AsFloats();
    EXPECT_EQ(Dense(*got), wanted);
    double largest = 0;
    const std::vector<float> original = *weight.AsFloats();
    for (size_t e = 0; e < wanted.size(); ++e)
      largest = std::max<double>(largest, std::abs(original[e] - wanted[e]));
    EXPECT_FLOAT_EQ(static_cast<float>(got->max_error), static_cast<float>(largest));
  }
}

TEST(Prune, WhatCannotBe) {
  const ir::Literal weight = ir::Literal::Fp32s(std::vector<float>(60, 0.5f), {6, 10});
  EXPECT_FALSE(PruneByMagnitude(weight, Ratio(2, 4, 0)).ok());  // 4 is more than half of 6
  EXPECT_FALSE(PruneByMagnitude(weight, Blocks(0.5, 6, 1)).ok());
  EXPECT_TRUE(PruneByMagnitude(weight, Blocks(0.5, 5, 1)).ok());
  const ir::Literal vector = ir::Literal::Fp32s(std::vector<float>(60, 0.5f), {60});
  EXPECT_FALSE(PruneByMagnitude(vector, Blocks(0.5, 2, 0)).ok());
  const auto dense = PruneByThreshold(weight, {.threshold = 0.1});
  ASSERT_FALSE(dense.ok());
  EXPECT_NE(dense.error().message().find("0.0 %"), std::string::npos);
}

// The squares of such weights leave half precision's range; blocks must still be told apart.
TEST(Prune, LargeHalvesKeepTheirLargestBlocks) {
  Random random(3);
  std::vector<float> values(64 * 32);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>((i / 32 / 4 % 2 == 0 ? 300 : 900) * (1 + random.NextBits() % 5));
  const ir::Literal weight = ir::Literal::Floats(DType::kFp16, values, {64, 32});
  const auto sparse = PruneByMagnitude(weight, Blocks(0.5, 4, 0));
  ASSERT_TRUE(sparse.ok()) << sparse.error().ToString();
  const std::vector<float> dense = Dense(*sparse);
  const auto zeros = std::ranges::count(dense, 0.0f);
  EXPECT_NEAR(static_cast<double>(zeros), 1024, 64);
  double kept = 0;
  double all = 0;
  for (size_t i = 0; i < dense.size(); ++i) {
    kept += std::abs(double{dense[i]});
    all += std::abs(double{values[i]});
  }
  EXPECT_GT(kept, 0.6 * all);
}

// coremltools takes the step of a uniform palette in the weight's dtype or in double, depending on
// the version of NumPy: ours loses no more than either.
TEST(Palette, UniformIsTheBetterOfBothSteps) {
  Random random(5);
  for (const DType dtype : {DType::kFp16, DType::kFp32}) {
    for (int round = 0; round < 20; ++round) {
      std::vector<float> values(512);
      for (float& value : values)
        value = static_cast<float>(static_cast<double>(random.NextBits() % 20001) / 7001 - 1.3);
      const ir::Literal weight = ir::Literal::Floats(dtype, values, {16, 32});
      const auto tensor = Palettize(weight, {.mode = PaletteMode::kUniform, .nbits = 4});
      ASSERT_TRUE(tensor.ok());
      const double lost = SquaredError(weight, *Depalettize(*tensor, dtype));
      const std::vector<float> given = *weight.AsFloats();
      const auto rounded = [&](double value) {
        const auto narrow = static_cast<float>(value);
        return dtype == DType::kFp16 ? HalfToFloat(FloatToHalf(narrow)) : narrow;
      };
      const float low = *std::ranges::min_element(given);
      const double width = rounded(double{*std::ranges::max_element(given)} - low);
      for (const double step : {double{rounded(width / 15)}, width / 15}) {
        double other = 0;
        for (const float value : given) {
          double nearest = 1e9;
          for (int i = 0; i < 16; ++i)
            nearest = std::min(nearest, std::abs(double{value} - rounded(i * step + low)));
          other += nearest * nearest;
        }
        EXPECT_LE(lost, other * (1 + 1e-9));
      }
    }
  }
}

TEST(Palettize, NeverWorseThanCoremltools) {
  struct Case {
    PaletteMode mode;
    int nbits;
    int axis = 0;
    int64_t group = 0;
    int64_t dim = 1;
  };
  constexpr auto kMeans = PaletteMode::kKMeans;
  const std::vector<Case> cases = {{kMeans, 1},
                                   {kMeans, 4},
                                   {kMeans, 6},
                                   {kMeans, 8},
                                   {kMeans, 3},
                                   {kMeans, 2, 0, 8},
                                   {kMeans, 4, 1, 6},
                                   {kMeans, 4, 0, 24, 2},
                                   {kMeans, 3, 1, 6, 3},
                                   {PaletteMode::kUniform, 4},
                                   {PaletteMode::kUniform, 6},
                                   {PaletteMode::kUnique, 0}};
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const Case& test = cases[i];
    const ir::Literal weight = FromFixture("palette" + std::to_string(i) + "_weight");
    const auto got = Palettize(weight, {.mode = test.mode,
                                        .nbits = test.nbits,
                                        .channel_axis = test.axis,
                                        .group_size = test.group,
                                        .cluster_dim = test.dim});
    ASSERT_TRUE(got.ok()) << got.status().ToString();
    const auto dense = Depalettize(*got, weight.dtype());
    ASSERT_TRUE(dense.ok()) << dense.status().ToString();
    const double ours = SquaredError(weight, *dense);
    const double theirs =
        SquaredError(weight, FromFixture("palette" + std::to_string(i) + "_dense"));
    EXPECT_LE(ours, theirs * (1 + 1e-9));
    const auto count = static_cast<double>(weight.element_count());
    EXPECT_NEAR(got->rms_error, std::sqrt(ours / count), 1e-9);
    const size_t rank = weight.shape().size();
    EXPECT_EQ(got->table_shape.size(), rank + 2);
    EXPECT_EQ(got->table_shape[rank], int64_t{1} << got->nbits);
    EXPECT_EQ(got->table.size(), static_cast<size_t>(*ir::ElementCount(got->table_shape)));
    if (test.mode == PaletteMode::kUnique) {
      EXPECT_EQ(ours, 0);
    }
  }
}

TEST(Palettize, ImportanceMovesTheErrorWhereItMatters) {
  std::vector<float> values(4096);
  Random(4).FillNormal(values, 0.0f, 1.0f);
  const ir::Literal weight = ir::Literal::Fp32s(values, {64, 64});
  std::vector<float> importance(values.size());
  for (size_t i = 0; i < values.size(); ++i) importance[i] = i % 64 < 8 ? 100.0f : 1.0f;
  const auto error = [&](const PaletteTensor& tensor) {
    const auto dense = *Depalettize(tensor, DType::kFp32)->AsFloats();
    double sum = 0;
    for (size_t i = 0; i < dense.size(); ++i) {
      const double difference = double{dense[i]} - values[i];
      sum += importance[i] * difference * difference;
    }
    return sum;
  };
  const auto plain = Palettize(weight, {.nbits = 3});
  const auto weighted = Palettize(weight, {.nbits = 3, .importance = importance});
  ASSERT_TRUE(plain.ok() && weighted.ok());
  EXPECT_LT(error(*weighted), error(*plain));
  EXPECT_LE(plain->rms_error, weighted->rms_error);
  const auto vectors = Palettize(weight, {.nbits = 4, .cluster_dim = 4});
  const auto heavy = Palettize(weight, {.nbits = 4, .cluster_dim = 4, .importance = importance});
  ASSERT_TRUE(vectors.ok() && heavy.ok());
  EXPECT_LT(error(*heavy), error(*vectors));
}

TEST(Palettize, WhatCannotBe) {
  std::vector<float> values(600);
  Random(9).FillNormal(values, 0.0f, 1.0f);
  const ir::Literal weight = ir::Literal::Fp32s(values, {20, 30});
  EXPECT_FALSE(Palettize(weight, {.nbits = 4, .group_size = 7}).ok());
  EXPECT_FALSE(Palettize(weight, {.nbits = 4, .cluster_dim = 3}).ok());
  EXPECT_FALSE(Palettize(weight, {.nbits = 4, .channel_axis = 2}).ok());
  EXPECT_FALSE(Palettize(weight, {.mode = PaletteMode::kUnique, .nbits = 0}).ok());
  // All equal: one entry serves, even when the range is empty.
  const ir::Literal same = ir::Literal::Fp32s(std::vector<float>(64, 0.25f), {8, 8});
  for (const PaletteMode mode : {PaletteMode::kKMeans, PaletteMode::kUniform}) {
    const auto got = Palettize(same, {.mode = mode, .nbits = 2});
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(got->max_error, 0);
  }
}

TEST(PackBits, LowestBitsFirst) {
  const std::vector<uint8_t> values = {1, 2, 3, 4, 5, 6, 7, 0, 1};
  EXPECT_EQ(PackBits(values, 3).As<uint8_t>()[0], 1 | 2 << 3 | (3 << 6 & 0xff));
}

// Every width and length; bits above the width do not count, and the rest of the last byte is 0.
TEST(PackBits, EveryWidthAndLength) {
  std::vector<uint8_t> all(40);
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<uint8_t>(i * 37 + 11);
  for (const int nbits : {1, 2, 3, 4, 6, 8}) {
    for (size_t n = 0; n <= all.size(); ++n) {
      const Bytes packed = PackBits(std::span(all).first(n), nbits);
      const auto width = static_cast<size_t>(nbits);
      ASSERT_EQ(packed.size(), (n * width + 7) / 8);
      const auto bit_at = [&](size_t bit) {
        return packed.As<uint8_t>()[bit / 8] >> (bit % 8) & 1u;
      };
      for (size_t bit = 0; bit < packed.size() * 8; ++bit) {
        const unsigned want = bit < n * width ? all[bit / width] >> (bit % width) & 1u : 0;
        ASSERT_EQ(bit_at(bit), want) << n << " values of " << nbits << ", bit " << bit;
      }
    }
  }
}

}  // namespace
}  // namespace anemone::compress
