#include "compress/prune_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace anemone::compress {
namespace {

float Rounded(float value, DType dtype) {
  return dtype == DType::kFp16 ? HalfToFloat(FloatToHalf(value)) : value;
}

// Keeps what `mask` keeps of `values`, but for zeros, which are never stored.
Result<SparseTensor> Keep(const ir::Literal& weight, const std::vector<float>& values,
                          std::vector<uint8_t> mask) {
  SparseTensor sparse;
  double squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (mask[i] != 0 && values[i] != 0) continue;
    mask[i] = 0;
    const double lost = std::abs(double{values[i]});
    squares += lost * lost;
    sparse.max_error = std::max(sparse.max_error, lost);
  }
  if (!values.empty()) sparse.rms_error = std::sqrt(squares / static_cast<double>(values.size()));
  sparse.shape = weight.shape();
  ANEMONE_ASSIGN(sparse.values, Gather(weight, mask));
  sparse.mask = std::move(mask);
  return sparse;
}

// The value below which (or at which) `share` of `values` lie, between two neighbors as NumPy's
// percentile has it.
float Quantile(std::vector<float> values, double share, DType dtype) {
  const double position = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(position);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), at, values.end());
  const double low = *at;
  if (below + 1 == values.size()) return static_cast<float>(low);
  const double high = *std::min_element(at + 1, values.end());
  const double between = position - static_cast<double>(below);
  return Rounded(static_cast<float>(low + (high - low) * between), dtype);
}

// A weight as [outer, channels, inner] around one dimension.
struct View {
  size_t outer = 1;
  size_t channels = 1;
  size_t inner = 1;
  size_t At(size_t o, size_t c, size_t i) const { return (o * channels + c) * inner + i; }
};
View ViewAt(const ir::Shape& shape, size_t dim) {
  View view;
  for (size_t i = 0; i < shape.size(); ++i) {
    size_t& part = i < dim ? view.outer : i == dim ? view.channels : view.inner;
    part *= static_cast<size_t>(shape[i]);
  }
  return view;
}

Status CheckStructured(const ir::Shape& shape, std::string_view what, int64_t size, int dim) {
  if (shape.size() < 2 || shape.size() > 5)
    return InvalidInput("{} takes weights of rank 2 to 5, not {}", what, shape.size());
  const int64_t channels = shape[static_cast<size_t>(dim)];
  if (size * 2 > channels) {
    return InvalidInput("{} of {} is more than half of its {} channels", what, size, channels);
  }
  return {};
}

// Each element's magnitude replaced by the norm of its block of channels, in the tensor's dtype.
std::vector<float> BlockNorms(const std::vector<float>& magnitudes, const View& view, size_t size,
                              DType dtype) {
  std::vector<float> norms(magnitudes.size());
  for (size_t o = 0; o < view.outer; ++o) {
    for (size_t first = 0; first < view.channels; first += size) {
      const size_t end = std::min(first + size, view.channels);
      for (size_t i = 0; i < view.inner; ++i) {
        float sum = 0;
        for (size_t c = first; c < end; ++c) {
          const float value = magnitudes[view.At(o, c, i)];
          sum = Rounded(sum + Rounded(value * value, dtype), dtype);
        }
        const float norm = Rounded(std::sqrt(sum), dtype);
        for (size_t c = first; c < end; ++c) norms[view.At(o, c, i)] = norm;
      }
    }
  }
  return norms;
}

Result<SparseTensor> PruneNOfM(const ir::Literal& weight, size_t n, size_t m, int dim) {
  ANEMONE_TRY(CheckStructured(weight.shape(), "n:m pruning", static_cast<int64_t>(m), dim));
  const std::vector<float> values = *weight.AsFloats();
  const View view = ViewAt(weight.shape(), static_cast<size_t>(dim));
  std::vector<uint8_t> mask(values.size(), 1);
  std::vector<size_t> order(m);
  for (size_t o = 0; o < view.outer; ++o) {
    for (size_t i = 0; i < view.inner; ++i) {
      for (size_t first = 0; first < view.channels; first += m) {
        // Behind the last channel there are zeros, which are pruned like others.
        const auto magnitude = [&](size_t at) {
          const size_t c = first + at;
          return c < view.channels ? std::abs(values[view.At(o, c, i)]) : 0.0f;
        };
        std::iota(order.begin(), order.end(), size_t{0});
        std::ranges::stable_sort(order, {}, magnitude);
        for (size_t lost = 0; lost < n; ++lost) {
          const size_t c = first + order[lost];
          if (c < view.channels) mask[view.At(o, c, i)] = 0;
        }
      }
    }
  }
  return Keep(weight, values, std::move(mask));
}

}  // namespace

Result<ir::Literal> Gather(const ir::Literal& literal, const std::vector<uint8_t>& mask) {
  const auto kept =
      static_cast<size_t>(std::ranges::count_if(mask, [](uint8_t m) { return m != 0; }));
  const auto width = static_cast<size_t>(BitWidth(literal.dtype())) / 8;
  const ir::Type type = ir::Type::Tensor(literal.dtype(), {static_cast<int64_t>(kept)});
  if (width == 0) {
    std::vector<int64_t> values;
    values.reserve(kept);
    for (size_t i = 0; i < mask.size(); ++i) {
      if (mask[i] != 0)
        values.push_back(ir::IntElement(literal.bytes(), literal.dtype(), static_cast<int64_t>(i)));
    }
    return ir::Literal::FromBytes(type, ir::PackInts(values, literal.dtype()));
  }
  std::vector<std::byte> bytes(kept * width);
  std::byte* to = bytes.data();
  for (size_t i = 0; i < mask.size(); ++i) {
    if (mask[i] == 0) continue;
    std::memcpy(to, literal.bytes().data() + i * width, width);
    to += width;
  }
  return ir::Literal::FromBytes(type, Bytes::FromVector(std::move(bytes)));
}

Result<SparseTensor> PruneByThreshold(const ir::Literal& weight, const ThresholdConfig& config) {
  const std::vector<float> values = *weight.AsFloats();
  const float threshold = Rounded(static_cast<float>(config.threshold), weight.dtype());
  std::vector<uint8_t> mask(values.size());
  size_t zeros = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    mask[i] = std::abs(values[i]) > threshold ? 1 : 0;
    zeros += mask[i] == 0 ? 1 : 0;
  }
  const double sparsity = static_cast<double>(zeros) / static_cast<double>(values.size());
  if (sparsity < config.minimum_sparsity_percentile) {
    return InvalidInput("only {:.1f} % of it is zero, not {:.1f} %", 100 * sparsity,
                        100 * config.minimum_sparsity_percentile);
  }
  return Keep(weight, values, std::move(mask));
}

Result<SparseTensor> PruneByMagnitude(const ir::Literal& weight, const MagnitudeConfig& config) {
  if (config.n_m_ratio) {
    return PruneNOfM(weight, static_cast<size_t>(config.n_m_ratio->first),
                     static_cast<size_t>(config.n_m_ratio->second), config.dim.value_or(1));
  }
  const std::vector<float> values = *weight.AsFloats();
  DType dtype = weight.dtype();
  std::vector<float> magnitudes(values.size());
  std::ranges::transform(values, magnitudes.begin(), [](float v) { return std::abs(v); });
  if (config.block_size) {
    const int dim = config.dim.value_or(0);
    ANEMONE_TRY(CheckStructured(weight.shape(), "block sparsity", *config.block_size, dim));
    const View view = ViewAt(weight.shape(), static_cast<size_t>(dim));
    const auto size = static_cast<size_t>(*config.block_size);
    auto norms = BlockNorms(magnitudes, view, size, weight.dtype());
    // Squares that leave the range of half precision tell no block from another.
    if (std::ranges::any_of(norms, [](float norm) { return !std::isfinite(norm); })) {
      norms = BlockNorms(magnitudes, view, size, DType::kFp32);
      dtype = DType::kFp32;
    }
    magnitudes = std::move(norms);
  }
  const double sparsity = config.target_sparsity.value_or(0);
  std::vector<uint8_t> mask(values.size(), sparsity == 1 ? 0 : 1);
  if (sparsity > 0 && sparsity < 1) {
    const float limit = Quantile(magnitudes, sparsity, dtype);
    for (size_t i = 0; i < values.size(); ++i) mask[i] = magnitudes[i] > limit ? 1 : 0;
  }
  return Keep(weight, values, std::move(mask));
}

}  // namespace anemone::compress
