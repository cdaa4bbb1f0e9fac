// Parity metrics: how far the outputs of a variant are from those of its reference, over any number
// of inputs. Differences are absolute and divided by the reference's range (largest minus smallest
// value over all inputs), so that outputs of any scale can be judged. A NaN or infinity on either
// side always fails. Thread rules: values, no sharing.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "exec/tensor.h"

namespace anemone::lab {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Parity {
  int64_t elements = 0;
  int64_t samples = 0;  // tensors compared
  // NaN or infinity in the variant where the reference has none, or the reverse.
  int64_t non_finite = 0;
  int64_t reference_non_finite = 0;
  double linf = 0;
  double rmse = 0;
  double reference_range = 0;  // max - min of the reference
  double linf_relative =
      0;  // linf / reference_range; 0 when both are 0, infinite when only the range is 0
  double rmse_relative = 0;
  double psnr_db = 0;  // 20 log10(reference_range / rmse); infinite when equal
  double snr_db = 0;   // 10 log10(sum reference^2 / sum error^2)
  double cosine = 1;
  // Agreement of arg-max over the last axis; rows counts the vectors judged. Only for a last axis
  // of 2 or more.
  int64_t rows = 0;
  int64_t top1_agree = 0;
  int64_t top5_agree = 0;  // the reference's best is among the variant's best five
  int64_t top1_flips = 0;  // disagreements where the reference's margin exceeds the error, so that
                           // noise cannot excuse it
  int64_t top5_flips = 0;  // the same for the best five: the reference's best fell out of them
                           // although it led the reference's sixth by more than the error
  double kl_divergence = 0;  // mean over rows of KL(reference || variant); 0 unless distribution
  // Mean over rows of KL(softmax(reference) || softmax(variant)): the rows taken as logits. The
  // same as kl_divergence for distributions.
  double kl_softmax = 0;
  bool distribution = false;  // every row of the reference is non-negative and sums to 1

  double top1_agreement() const {
    return rows == 0 ? 1.0 : static_cast<double>(top1_agree) / static_cast<double>(rows);
  }
  double top5_agreement() const {
    return rows == 0 ? 1.0 : static_cast<double>(top5_agree) / static_cast<double>(rows);
  }
};

// Accumulates over inputs; not for tensors of different shapes.
class ParityMeter {
 public:
  // Both row-major, of one shape. Integers and bools are compared as numbers. kUsage when the
  // shapes differ.
  Status Add(const exec::ConstTensor& reference, const exec::ConstTensor& variant);
  Parity Result() const;

 private:
  void AddRow(std::span<const double> reference, std::span<const double> variant);

  Parity sums_;
  double squared_error_ = 0;
  double squared_reference_ = 0;
  double squared_variant_ = 0;
  double product_ = 0;
  double low_ = 0;
  double high_ = 0;
  bool any_ = false;
  bool distribution_ = true;
  double kl_sum_ = 0;
  double kl_softmax_sum_ = 0;
};

// Limits for one kind of compression. Distributions are judged by the absolute differences,
// everything else by the differences divided by the reference's range.
struct ParityLimits {
  double linf = 0;
  double rmse = 0;
};
// The fp32 limits are what reordering float32 sums can do.
inline constexpr ParityLimits kFp32Limits{1e-4, 1e-5};
inline constexpr ParityLimits kFp16Limits{1e-2, 1e-3};
inline constexpr ParityLimits kInt8Limits{5e-2, 5e-3};

// The two figures that `limits` judges.
struct JudgedParity {
  double linf = 0;
  double rmse = 0;
  bool relative = false;
  bool passed = false;
};
JudgedParity Judge(const Parity& parity, const ParityLimits& limits);

// One JSON object, the same in compare, manifests and the lab. Values that are not finite are null;
// figures of rows are null when there are no rows. (parity_json.h gives it as a JSON value.)
std::string ToJson(const Parity& parity);

}  // namespace anemone::lab
