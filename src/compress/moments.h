// Moments: how the weights of conv and linear operators are driven, from calibration inputs. At
// some positions of each sample (evenly spread, at most 64) the inputs x of one row of a weight are
// gathered, and their means, squares and (if requested) products are summed. Thread rules: one
// thread per collector.
#pragma once

#include <set>
#include <string>

#include "compress/calibrate.h"
#include "passes/rewriter.h"

namespace anemone::compress {

// The largest rows whose products are kept: their number grows with the square.
constexpr int64_t kMaxProductRow = 2304;

// `names` lists the constants to examine; those that no conv or linear operator takes as its weight
// alone are left out of the result.
Result<InputStatistics> CollectMoments(const ir::Model& model, const Calibration& calibration,
                                       const std::set<std::string>& names, bool products,
                                       const SampleProgress& progress,
                                       const std::function<bool()>& cancelled);

// The constants of two or more dimensions, which can have moments.
std::set<std::string> MatrixNames(const ir::Program& program);

// sum += x x^T over the rows of `x` [count, n]; the upper triangle only.
void AddProducts(std::span<const float> x, size_t n, std::span<float> sum);

// y += a x.
void AddScaled(float a, std::span<const float> x, std::span<float> y);

// out = rows b: `rows` and `out` are [count, n], `b` is [n, n].
void MultiplyRows(std::span<const float> rows, std::span<const float> b, size_t n,
                  std::span<float> out);

}  // namespace anemone::compress
