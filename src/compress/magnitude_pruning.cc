#include "compress/magnitude_pruning.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "compress/method.h"

namespace anemone::compress {
namespace {

// The value at or below which `share` of `values` are, interpolated between neighbors as in
// NumPy's percentile.
float Quantile(std::vector<float> values, double share, DType dtype) {
  const double position = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<size_t>(position);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), at, values.end());
  const double low = *at;
  if (below + 1 == values.size()) return static_cast<float>(low);
  const double high = *std::min_element(at + 1, values.end());
  const double between = position - static_cast<double>(below);
  return RoundedTo(dtype, static_cast<float>(low + (high - low) * between));
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
          sum = RoundedTo(dtype, sum + RoundedTo(dtype, value * value));
        }
        const float norm = RoundedTo(dtype, std::sqrt(sum));
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
        // Beyond the last channel there are zeros, which are pruned like others.
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
  return KeepMasked(weight, values, std::move(mask));
}

}  // namespace

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
    // Squares beyond the range of half precision cannot distinguish blocks.
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
  return KeepMasked(weight, values, std::move(mask));
}

namespace {

bool IsStructured(const MagnitudeConfig& config) { return config.block_size || config.n_m_ratio; }

// "2:4": of every 4, 2.
Result<std::pair<int64_t, int64_t>> ParseRatio(const std::string& text) {
  std::pair<int64_t, int64_t> ratio;
  const char* end = text.data() + text.size();
  auto parsed = std::from_chars(text.data(), end, ratio.first);
  const bool colon = parsed.ec == std::errc() && parsed.ptr != end && *parsed.ptr == ':';
  if (colon) parsed = std::from_chars(parsed.ptr + 1, end, ratio.second);
  if (!colon || parsed.ec != std::errc() || parsed.ptr != end)
    return Usage("'{}' is not an n:m ratio", text).Advise("for example 2:4");
  return ratio;
}

class MagnitudeMethod final : public Method {
 public:
  std::string_view config_type() const override { return "OpMagnitudePrunerConfig"; }
  OpConfig Default() const override { return MagnitudeConfig(); }

  ConfigTable FieldsOf(OpConfig& config) const override {
    MagnitudeConfig& magnitude = *config.As<MagnitudeConfig>();
    return {
        {.key = "target_sparsity", .field = &magnitude.target_sparsity},
        {.key = "block_size", .field = &magnitude.block_size},
        {.key = "n_m_ratio", .field = &magnitude.n_m_ratio},
        {.key = "dim", .field = &magnitude.dim},
        {.key = "weight_threshold", .field = &magnitude.weight_threshold},
    };
  }

  Status Check(const OpConfig& config) const override {
    const MagnitudeConfig& magnitude = *config.As<MagnitudeConfig>();
    const auto& sparsity = magnitude.target_sparsity;
    const auto& block_size = magnitude.block_size;
    const auto& n_m_ratio = magnitude.n_m_ratio;
    const auto& dim = magnitude.dim;
    if (sparsity.has_value() == n_m_ratio.has_value())
      return Usage("give either target_sparsity or n_m_ratio");
    if (sparsity && !(*sparsity >= 0 && *sparsity <= 1))
      return Usage("target_sparsity is {}", *sparsity).Advise("between 0 and 1");
    if (block_size && n_m_ratio) return Usage("block_size and n_m_ratio exclude each other");
    if (block_size && *block_size <= 1)
      return Usage("the block_size of pruning is {}", *block_size).Advise("2 or more");
    if (n_m_ratio) {
      const auto [n, m] = *n_m_ratio;
      if (n < 0 || m < 1 || n > m)
        return Usage("n_m_ratio is {}:{}", n, m).Advise("n of every m, n at most m");
    }
    if (dim) {
      if (!IsStructured(magnitude)) return Usage("dim is given without block_size or n_m_ratio");
      if (*dim != 0 && *dim != 1) return Usage("dim is {}", *dim).Advise("0 or 1");
    }
    return {};
  }

  OpsetNeed NeedOf(const OpConfig&) const override { return SparseNeed(); }

  Result<std::optional<OpConfig>> FromOptions(const CompressOptions& options) const override {
    if (options.mode != "prune" || options.threshold) return std::optional<OpConfig>();
    MagnitudeConfig magnitude;
    magnitude.target_sparsity = options.target_sparsity;
    magnitude.weight_threshold = options.weight_threshold.value_or(kDefaultWeightThreshold);
    if (options.block_size != 0) magnitude.block_size = options.block_size;
    if (!options.nm.empty()) {
      ANEMONE_ASSIGN(magnitude.n_m_ratio, ParseRatio(options.nm));
    }
    if (!magnitude.target_sparsity && !magnitude.n_m_ratio) {
      return Usage("pruning needs a measure").Advise("give --target-sparsity, --nm or --threshold");
    }
    return std::optional<OpConfig>(magnitude);
  }

  bool Takes(SiteKind kind, bool joint) const override { return TakesSparse(kind, joint); }

  std::string_view ForConvAndLinearOnly(const OpConfig& config) const override {
    return IsStructured(*config.As<MagnitudeConfig>()) ? "block sparsity and n:m pruning" : "";
  }

  Result<std::unique_ptr<CompressedWeight>> Encode(const OpConfig& config,
                                                   const EncodeInput& input) const override {
    ANEMONE_TRY(CheckFinite(input.weight));
    ANEMONE_ASSIGN(SparseTensor sparse,
                   PruneByMagnitude(input.weight, *config.As<MagnitudeConfig>()));
    return MakeSparseWeight(std::move(sparse));
  }
};

}  // namespace

const Method& MagnitudePruning() {
  static const MagnitudeMethod method;
  return method;
}

}  // namespace anemone::compress
