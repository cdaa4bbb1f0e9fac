// Variant: one configuration of a model, and everything measured of it: size, parity with the
// reference, accuracy on labeled samples, estimated latency by chip, the error of every tensor. A
// result is a pure function of model, configuration and samples: no times, no dates; so a sweep
// that is killed and resumed, or runs on other machines, gives the same. Thread rules: a LabSubject
// is immutable and shared; MeasureVariant may run on many threads at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "compress/apply.h"
#include "compress/configuration.h"
#include "compress/report.h"
#include "exec/backend.h"
#include "ir/model.h"
#include "lab/manifest.h"
#include "lab/samples.h"

namespace anemone::lab {

// The state that all variants of a sweep share.
class LabSubject {
 public:
  // Outputs are compared with those of `reference` (float32); `base` is the model to compress, and
  // may be the same. Runs the reference on all samples, with `threads` threads (0: one for each
  // core). `calibration` holds the samples from which configurations that need data learn, other
  // than those that judge them; null: there are none, and such configurations fail.
  static Result<LabSubject> Make(std::shared_ptr<const ir::Model> reference,
                                 std::shared_ptr<const ir::Model> base,
                                 std::shared_ptr<const Samples> samples,
                                 const exec::Backend& backend, int threads,
                                 std::shared_ptr<const Samples> calibration = nullptr);

  const ir::Model& base() const { return *base_; }
  std::shared_ptr<const ir::Model> shared_base() const { return base_; }
  std::shared_ptr<const ir::Model> reference() const { return reference_; }
  const Samples& samples() const { return *samples_; }
  const Samples* calibration() const { return calibration_.get(); }  // null: none
  // How the calibration samples drive the weights of the base, products included; computed on
  // first use.
  Result<std::shared_ptr<const compress::InputStatistics>> Moments(
      int threads, const std::function<bool()>& cancelled) const;
  // The roundings that variants have learned from those samples.
  std::shared_ptr<compress::LearnedRoundings> learned() const { return moments_->learned; }
  const exec::Backend& backend() const { return *backend_; }
  const ir::Function& function() const { return *function_; }  // of the base, the one measured
  // Identifies everything that results depend on: both models and the samples.
  const std::string& sha256() const { return sha256_; }
  const std::string& base_sha256() const { return base_sha256_; }
  // Outputs of the reference for a sample, by name.
  const std::map<std::string, exec::Tensor>& wanted(int64_t sample) const {
    return wanted_[static_cast<size_t>(sample)];
  }
  // The content key of a variant: SHA-256 of the subject and the configuration as JSON.
  std::string KeyOf(const compress::Configuration& configuration) const;

 private:
  std::shared_ptr<const ir::Model> reference_;
  std::shared_ptr<const ir::Model> base_;
  std::shared_ptr<const Samples> samples_;
  std::shared_ptr<const Samples> calibration_;
  struct MomentsCache {
    std::mutex mutex;
    std::shared_ptr<const compress::InputStatistics> moments;
    std::shared_ptr<compress::LearnedRoundings> learned =
        std::make_shared<compress::LearnedRoundings>();
  };
  std::shared_ptr<MomentsCache> moments_ = std::make_shared<MomentsCache>();
  const exec::Backend* backend_ = nullptr;
  const ir::Function* function_ = nullptr;
  std::string sha256_;
  std::string base_sha256_;
  std::vector<std::map<std::string, exec::Tensor>> wanted_;
};

// One chip's estimate; absent where nothing is known.
struct ChipEstimate {
  std::string chip;
  std::optional<Estimate> latency_ms;  // with the operators placed as Core ML would
  std::optional<Estimate> ane_op_coverage_pct;
};

struct VariantResult {
  int64_t package_bytes = 0;
  int64_t weight_bytes = 0;
  int64_t samples = 0;
  // Of the labeled samples; absent without labels.
  std::optional<int64_t> top1;
  std::optional<int64_t> top5;
  // Samples on which the best class is the reference's; absent when no output ranks classes.
  std::optional<int64_t> agreement;
  std::vector<OutputParity> outputs;
  // One figure to rank variants by, 0 for the reference: the mean KL on softmax of the output that
  // ranks classes, or else the squared error divided by the reference's power. Infinite when an
  // output is not finite.
  double loss = 0;
  std::vector<ChipEstimate> chips;
  std::vector<compress::TensorRecord> tensors;  // compressed ones and, with a reason, skipped ones

  double top1_accuracy() const { return Share(top1); }
  double top5_accuracy() const { return Share(top5); }

 private:
  double Share(const std::optional<int64_t>& count) const {
    return samples == 0 ? 0 : static_cast<double>(count.value_or(0)) / static_cast<double>(samples);
  }
};

struct VariantOptions {
  int threads = 0;
  std::function<bool()> cancelled = {};  // true stops with kCancelled
};

// The base model with the configuration applied.
Result<std::shared_ptr<ir::Model>> MakeVariant(const LabSubject& subject,
                                               const compress::Configuration& configuration,
                                               const VariantOptions& options,
                                               compress::Report* report = nullptr);
Result<VariantResult> MeasureVariant(const LabSubject& subject,
                                     const compress::Configuration& configuration,
                                     const VariantOptions& options = {});

// As one JSON object, for the database and lab.json, and back. Values that are not finite are null.
std::string ResultJson(const VariantResult& result);
Result<VariantResult> ParseResult(const std::string& json);

// The loss of `outputs`, as in VariantResult; parity by output name.
double LossOf(const std::vector<OutputParity>& outputs);

}  // namespace anemone::lab
