#include "lab/parity.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace anemone::lab {
namespace {

Result<std::vector<double>> ToDoubles(const exec::ConstTensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.count()));
  const auto read = [&](const auto* data) {
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(data[i]);
  };
  switch (tensor.dtype) {
    case DType::kFp32:
      read(tensor.As<float>());
      break;
    case DType::kInt32:
      read(tensor.As<int32_t>());
      break;
    case DType::kInt16:
      read(tensor.As<int16_t>());
      break;
    case DType::kUInt16:
      read(tensor.As<uint16_t>());
      break;
    case DType::kInt8:
      read(tensor.As<int8_t>());
      break;
    case DType::kUInt8:
    case DType::kBool:
      read(tensor.As<uint8_t>());
      break;
    default:
      return Unsupported("tensors of {} cannot be compared", DTypeName(tensor.dtype));
  }
  return values;
}

double Ratio(double difference, double range) {
  if (difference == 0) return 0;
  return range > 0 ? difference / range : kInfinity;
}

// log(sum(exp(values))), without overflow.
double LogSumExp(std::span<const double> values) {
  const double largest = *std::max_element(values.begin(), values.end());
  if (!std::isfinite(largest)) return largest;
  double sum = 0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

double SoftmaxKl(std::span<const double> reference, std::span<const double> variant) {
  const double reference_norm = LogSumExp(reference);
  const double variant_norm = LogSumExp(variant);
  double sum = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double log_p = reference[i] - reference_norm;
    const double p = std::exp(log_p);
    if (p > 0) sum += p * (log_p - (variant[i] - variant_norm));
  }
  return std::max(0.0, sum);
}

// The sixth largest value, which a class must beat to be among the best five.
double Sixth(std::span<const double> values) {
  if (values.size() < 6) return -kInfinity;
  std::vector<double> sorted(values.begin(), values.end());
  std::nth_element(sorted.begin(), sorted.begin() + 5, sorted.end(), std::greater());
  return sorted[5];
}

}  // namespace

Status ParityMeter::Add(const exec::ConstTensor& reference, const exec::ConstTensor& variant) {
  if (reference.shape != variant.shape) {
    return Usage("the reference is {}, but the variant is {}", ir::ShapeToString(reference.shape),
                 ir::ShapeToString(variant.shape));
  }
  ANEMONE_ASSIGN(const auto a, ToDoubles(reference));
  ANEMONE_ASSIGN(const auto b, ToDoubles(variant));
  ++sums_.samples;
  sums_.elements += static_cast<int64_t>(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) {
      ++sums_.reference_non_finite;
      // The same infinity, or NaN on both sides, is agreement, and is left out of the sums.
      const bool same = a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i]));
      if (!same) ++sums_.non_finite;
      continue;
    }
    low_ = any_ ? std::min(low_, a[i]) : a[i];
    high_ = any_ ? std::max(high_, a[i]) : a[i];
    any_ = true;
    if (!std::isfinite(b[i])) {
      ++sums_.non_finite;
      continue;
    }
    const double error = b[i] - a[i];
    sums_.linf = std::max(sums_.linf, std::abs(error));
    squared_error_ += error * error;
    squared_reference_ += a[i] * a[i];
    squared_variant_ += b[i] * b[i];
    product_ += a[i] * b[i];
  }
  const auto width =
      reference.shape.empty() ? size_t{1} : static_cast<size_t>(reference.shape.back());
  if (width < 2) {
    distribution_ = false;
    return {};
  }
  for (size_t begin = 0; begin + width <= a.size(); begin += width) {
    AddRow({a.data() + begin, width}, {b.data() + begin, width});
  }
  return {};
}

void ParityMeter::AddRow(std::span<const double> reference, std::span<const double> variant) {
  ++sums_.rows;
  const auto best =
      static_cast<size_t>(std::max_element(reference.begin(), reference.end()) - reference.begin());
  size_t better = 0;  // classes that the variant ranks above the reference's best
  double second = -kInfinity;
  double error = 0;
  double sum = 0;
  double kl = 0;
  bool non_negative = true;
  bool finite = true;
  for (size_t i = 0; i < reference.size(); ++i) {
    if (i != best) second = std::max(second, reference[i]);
    better += variant[i] > variant[best] || (variant[i] == variant[best] && i < best) ? 1 : 0;
    error = std::max(error, std::abs(reference[i] - variant[i]));
    sum += reference[i];
    non_negative &= reference[i] >= 0;
    finite &= std::isfinite(reference[i]) && std::isfinite(variant[i]);
    if (reference[i] > 0) kl += reference[i] * std::log(reference[i] / std::max(variant[i], 1e-12));
  }
  // No score compares greater than NaN; that must not count as agreement.
  if (!finite) better = std::max<size_t>(5, reference.size());
  sums_.top1_agree += better == 0 ? 1 : 0;
  sums_.top5_agree += better < 5 ? 1 : 0;
  if (better != 0 && reference[best] - second > error) ++sums_.top1_flips;
  if (better >= 5 && reference[best] - Sixth(reference) > error) ++sums_.top5_flips;
  const bool distribution = non_negative && std::abs(sum - 1) < 1e-3;
  distribution_ &= distribution;
  kl_sum_ += kl;
  kl_softmax_sum_ += !finite ? kInfinity : distribution ? kl : SoftmaxKl(reference, variant);
}

Parity ParityMeter::Result() const {
  Parity parity = sums_;
  const auto counted = static_cast<double>(std::max<int64_t>(1, parity.elements));
  parity.rmse = std::sqrt(squared_error_ / counted);
  parity.reference_range = high_ - low_;
  parity.linf_relative = Ratio(parity.linf, parity.reference_range);
  parity.rmse_relative = Ratio(parity.rmse, parity.reference_range);
  parity.psnr_db =
      parity.rmse == 0 ? kInfinity : 20 * std::log10(parity.reference_range / parity.rmse);
  parity.snr_db =
      squared_error_ == 0 ? kInfinity : 10 * std::log10(squared_reference_ / squared_error_);
  const double norms = std::sqrt(squared_reference_) * std::sqrt(squared_variant_);
  parity.cosine =
      norms > 0 ? product_ / norms : (squared_reference_ == squared_variant_ ? 1.0 : 0.0);
  parity.distribution = distribution_ && parity.rows > 0;
  parity.kl_divergence = parity.distribution ? kl_sum_ / static_cast<double>(parity.rows) : 0;
  parity.kl_softmax =
      parity.rows > 0 ? std::max(0.0, kl_softmax_sum_) / static_cast<double>(parity.rows) : 0;
  if (parity.non_finite != 0) {
    parity.linf = parity.rmse = parity.linf_relative = parity.rmse_relative = kInfinity;
    parity.psnr_db = parity.snr_db = -kInfinity;
  }
  return parity;
}

JudgedParity Judge(const Parity& parity, const ParityLimits& limits) {
  JudgedParity judged;
  judged.relative = !parity.distribution;
  judged.linf = judged.relative ? parity.linf_relative : parity.linf;
  judged.rmse = judged.relative ? parity.rmse_relative : parity.rmse;
  judged.passed = parity.non_finite == 0 && parity.reference_non_finite == 0 &&
                  judged.linf <= limits.linf && judged.rmse <= limits.rmse;
  return judged;
}

}  // namespace anemone::lab
