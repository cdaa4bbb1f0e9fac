// Apply: the one way to compress a model. Finds the weights, looks up the setting of each, has
// its method encode it (method.h) on all cores, and replaces the weights by constexpr operators
// of the model's op set. Computation stays float except for quantized activations. Thread
// rules: one thread per model; the work itself runs on `threads`. Errors: kUsage for an
// impossible configuration; kUnsupported when the op set lacks the form, with the lowest that
// has it (then nothing is changed); kCancelled. After another error the model may be half
// changed: compress a copy.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "compress/calibration.h"
#include "compress/configuration.h"
#include "compress/learned_roundings.h"
#include "compress/report.h"
#include "ir/model.h"

namespace anemone::compress {

struct ApplyOptions {
  int threads = 0;                       // 0: one for each processor
  std::function<bool()> cancelled = {};  // called for each tensor; true stops with kCancelled
  // Called after each tensor and each calibration sample, from one thread at a time.
  std::function<void(std::string_view what, int64_t done, int64_t total)> progress = {};
  // Inputs for configurations that need data; null: such configurations are kUsage.
  const Calibration* calibration = nullptr;
  // The statistics of those inputs for this model's weights (CollectMoments), if already collected,
  // with products when a rounding needs them. Saves running them again.
  std::shared_ptr<const InputStatistics> inputs = nullptr;
  // Goes with `inputs`: the roundings already learned from them for these weights.
  std::shared_ptr<LearnedRoundings> learned = nullptr;
};

Result<Report> Apply(ir::Model& model, const Configuration& configuration,
                     const ApplyOptions& options = {});

// The statistics of calibration inputs for the weights; null: none.
struct WeightData {
  std::shared_ptr<const InputStatistics> inputs;
  std::shared_ptr<LearnedRoundings> learned = nullptr;
  bool correct_bias = false;
};

// One step over the weights of a program; `data` may be null.
Result<Report> ApplyStep(ir::Program& program, const WeightStep& step,
                         const ApplyOptions& options = {}, const WeightData* data = nullptr);

}  // namespace anemone::compress
