// Apply: the one way to compress a model. Finds the weights, asks the configuration what to do with
// each, has its method encode it (method.h) on all cores and puts the
// constexpr operators of the model's op set in the weights' place. What is computed stays float but
// for quantized activations. Thread rules: one thread to a model; the work itself runs on
// `threads`. Errors: kUsage for a configuration that cannot be; kUnsupported when the op set has no
// form for what is asked, with the lowest that has (then nothing is changed); kCancelled. After
// another error the model may be half changed: compress a copy.
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
  std::function<bool()> cancelled = {};  // asked for each tensor; true stops with kCancelled
  // Called after each tensor and each calibration sample, from one thread at a time.
  std::function<void(std::string_view what, int64_t done, int64_t total)> progress = {};
  // Inputs for what needs data; null: kUsage when the configuration does.
  const Calibration* calibration = nullptr;
  // What those inputs say of the weights of this model (CollectMoments), where somebody has asked
  // before; with products where a rounding needs them. Saves running them again.
  std::shared_ptr<const InputStatistics> inputs = nullptr;
  // Goes with `inputs`: what was learned from them of these weights.
  std::shared_ptr<LearnedRoundings> learned = nullptr;
};

Result<Report> Apply(ir::Model& model, const Configuration& configuration,
                     const ApplyOptions& options = {});

// What calibration inputs tell about the weights; null: nothing.
struct WeightData {
  std::shared_ptr<const InputStatistics> inputs;
  std::shared_ptr<LearnedRoundings> learned = nullptr;
  bool correct_bias = false;
};

// One step over the weights of a program; `data` may be null.
Result<Report> ApplyStep(ir::Program& program, const WeightStep& step,
                         const ApplyOptions& options = {}, const WeightData* data = nullptr);

}  // namespace anemone::compress
