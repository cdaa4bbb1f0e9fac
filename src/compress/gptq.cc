#include "compress/gptq.h"

#include <algorithm>
#include <cmath>

#include "compress/moments.h"
#include "compress/rounding_grid.h"

namespace anemone::compress {
namespace {

constexpr double kDamping = 0.01;  // of the mean of the diagonal

// Rows of the factor that are computed together: they stay in the cache while the rows above pass.
constexpr size_t kCholeskyRows = 32;

double Dot(const float* a, const float* b, size_t count) {
  double parts[4] = {};
  size_t k = 0;
  for (; k + 4 <= count; k += 4) {
    for (size_t p = 0; p < 4; ++p) parts[p] += double{a[k + p]} * b[k + p];
  }
  for (; k < count; ++k) parts[0] += double{a[k]} * b[k];
  return parts[0] + parts[1] + parts[2] + parts[3];
}

// Lower triangle L with L L^T = a (row-major [n, n], lower part read); false when a is not
// positive.
bool Cholesky(std::vector<float>* a, size_t n) {
  float* m = a->data();
  for (size_t first = 0; first < n; first += kCholeskyRows) {
    const size_t end = std::min(n, first + kCholeskyRows);
    for (size_t j = 0; j < end; ++j) {
      if (j >= first) {
        const double diagonal = m[j * n + j] - Dot(m + j * n, m + j * n, j);
        if (!(diagonal > 0)) return false;
        m[j * n + j] = static_cast<float>(std::sqrt(diagonal));
      }
      const double root = m[j * n + j];
      for (size_t i = std::max(first, j + 1); i < end; ++i) {
        const double sum = m[i * n + j] - Dot(m + i * n, m + j * n, j);
        m[i * n + j] = static_cast<float>(sum / root);
      }
    }
  }
  return true;
}

// The inverse of L (lower), as a new matrix: row-major [n, n], lower.
std::vector<float> InverseOfLower(const std::vector<float>& lower, size_t n) {
  std::vector<float> inverse(n * n, 0.0f);
  for (size_t i = 0; i < n; ++i) {
    // Row i of the inverse: (e_i - sum L[i][k] inverse[k]) / L[i][i].
    std::span<float> row(inverse.data() + i * n, n);
    for (size_t k = 0; k < i; ++k) {
      AddScaled(-lower[i * n + k], {inverse.data() + k * n, k + 1}, row.subspan(0, k + 1));
    }
    row[i] += 1;
    const float divisor = 1 / lower[i * n + i];
    for (size_t k = 0; k <= i; ++k) row[k] *= divisor;
  }
  return inverse;
}

// The upper triangle U with U^T U = h^-1: how later inputs compensate for an error at one input.
Result<std::vector<float>> Compensation(std::span<const float> products, size_t n) {
  // With the order of inputs reversed, h' = P h P = L L^T, so h^-1 = (P L^-T P)(P L^-1 P), and
  // P L^-1 P is upper.
  double mean = 0;
  for (size_t i = 0; i < n; ++i) mean += products[i * n + i];
  mean /= static_cast<double>(n);
  if (!(mean > 0)) return InvalidInput("its inputs were all 0");
  std::vector<float> reversed(n * n, 0.0f);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      // (i, j) of the reversed is (n-1-i, n-1-j), an element of the upper triangle.
      reversed[i * n + j] = products[(n - 1 - i) * n + (n - 1 - j)];
    }
    reversed[i * n + i] += static_cast<float>(kDamping * mean);
  }
  if (!Cholesky(&reversed, n)) return InvalidInput("its inputs are too similar");
  const std::vector<float> inverse = InverseOfLower(reversed, n);
  std::vector<float> upper(n * n, 0.0f);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) upper[(n - 1 - i) * n + (n - 1 - j)] = inverse[i * n + j];
  }
  return upper;
}

}  // namespace

Status RoundByInputs(const ir::Literal& weight, const InputMoments& moments, LinearMode mode,
                     LinearTensor* tensor) {
  const ir::Shape& shape = weight.shape();
  const auto outputs = static_cast<size_t>(shape[0]);
  const auto n = static_cast<size_t>(moments.row);
  if (moments.products.empty())
    return InvalidInput("rows of {} elements are too long for gptq", moments.row);
  const std::vector<float> values = *weight.AsFloats();
  const RoundingGrid grid(*tensor, mode);
  std::vector<int64_t> integers(values.size());
  const size_t per_group = outputs / static_cast<size_t>(moments.groups);
  double squares = 0;
  tensor->max_error = 0;
  for (size_t group = 0; group < static_cast<size_t>(moments.groups); ++group) {
    auto upper =
        Compensation(std::span<const float>(moments.products).subspan(group * n * n, n * n), n);
    for (size_t o = group * per_group; o < (group + 1) * per_group; ++o) {
      std::vector<float> row(values.begin() + static_cast<std::ptrdiff_t>(o * n),
                             values.begin() + static_cast<std::ptrdiff_t>((o + 1) * n));
      for (size_t i = 0; i < n; ++i) {
        const size_t block = grid.BlockOf(o * n + i);
        const float scale = grid.Scale(block);
        const int integer = grid.Stored(scale == 0 ? 0 : std::nearbyint(row[i] / scale), block);
        integers[o * n + i] = integer;
        const float rounded = grid.Value(integer, block);
        if (upper.ok()) {  // dead inputs: nothing to compensate
          const std::span<const float> u(upper->data() + i * n + i, n - i);
          const float error = (row[i] - rounded) / u[0];
          AddScaled(-error, u.subspan(1), std::span<float>(row).subspan(i + 1));
        }
        const double lost = std::abs(double{values[o * n + i]} - rounded);
        squares += lost * lost;
        tensor->max_error = std::max(tensor->max_error, lost);
      }
    }
  }
  tensor->rms_error = std::sqrt(squares / static_cast<double>(values.size()));
  const DType dtype = tensor->data.dtype();
  ANEMONE_ASSIGN(tensor->data, ir::Literal::FromBytes(ir::Type::Tensor(dtype, shape),
                                                      ir::PackInts(integers, dtype)));
  return {};
}

}  // namespace anemone::compress
