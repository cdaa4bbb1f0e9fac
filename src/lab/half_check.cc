#include "lab/half_check.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "exec/function_inputs.h"

namespace anemone::lab {
namespace {

using Outputs = std::map<std::string, exec::Tensor>;

// Variation in float16 below this share of float32's counts as none.
constexpr double kNoVariation = 0.01;
// Variation in float32 below this share of the largest value is noise of its last digits.
constexpr double kNoise = 1e-5;
// Integers differ from sample to sample when more than this share of them does.
constexpr double kManyIntegers = 0.1;

// How much an output changes from sample to sample.
struct Variation {
  double spread = 0;   // floats: the largest change of one element
  double largest = 0;  // floats: the largest magnitude
  double share = 0;    // integers: the share of elements that are not the same for all samples
};

Variation VariationOf(std::span<const Outputs> samples, const std::string& name) {
  Variation variation;
  const exec::Tensor& first = samples[0].at(name);
  const bool floats = first.dtype() == DType::kFp32;
  const size_t count = static_cast<size_t>(first.count());
  std::vector<bool> changed(floats ? 0 : first.size_bytes(), false);
  for (const Outputs& outputs : samples) {
    const exec::Tensor& tensor = outputs.at(name);
    if (tensor.shape() != first.shape()) return {};
    if (!floats) {
      const auto* a = first.As<uint8_t>();
      const auto* b = tensor.As<uint8_t>();
      for (size_t i = 0; i < changed.size(); ++i) changed[i] = changed[i] || a[i] != b[i];
      continue;
    }
    for (size_t i = 0; i < count; ++i) {
      const double value = tensor.As<float>()[i];
      const double spread = std::abs(value - first.As<float>()[i]);
      if (std::isfinite(value)) variation.largest = std::max(variation.largest, std::abs(value));
      if (std::isfinite(spread)) variation.spread = std::max(variation.spread, spread);
    }
  }
  if (!floats && count > 0) {
    const size_t width = changed.size() / count;
    size_t elements = 0;
    for (size_t i = 0; i < count; ++i) {
      const auto begin = changed.begin() + static_cast<std::ptrdiff_t>(i * width);
      if (std::find(begin, begin + static_cast<std::ptrdiff_t>(width), true) !=
          begin + static_cast<std::ptrdiff_t>(width)) {
        ++elements;
      }
    }
    variation.share = static_cast<double>(elements) / static_cast<double>(count);
  }
  return variation;
}

// Of the integers of all samples.
double ShareThatDiffers(std::span<const Outputs> wanted, std::span<const Outputs> got,
                        const std::string& name) {
  int64_t differing = 0;
  int64_t all = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const exec::Tensor& a = wanted[i].at(name);
    const exec::Tensor& b = got[i].at(name);
    if (a.shape() != b.shape() || a.count() == 0) continue;
    const size_t width = a.size_bytes() / static_cast<size_t>(a.count());
    for (int64_t k = 0; k < a.count(); ++k) {
      const auto at = static_cast<size_t>(k) * width;
      differing += std::memcmp(a.As<uint8_t>() + at, b.As<uint8_t>() + at, width) != 0 ? 1 : 0;
    }
    all += a.count();
  }
  return all == 0 ? 0 : static_cast<double>(differing) / static_cast<double>(all);
}

bool IsConstant(std::span<const Outputs> wanted, std::span<const Outputs> got,
                const std::string& name) {
  if (wanted.size() < 2) return false;
  const Variation single = VariationOf(wanted, name);
  const Variation half = VariationOf(got, name);
  if (wanted[0].at(name).dtype() != DType::kFp32)
    return single.share > kManyIntegers && half.share == 0;
  return single.spread > kNoise * single.largest && half.spread < kNoVariation * single.spread;
}

}  // namespace

Result<HalfCheck> HalfCheck::Make(const exec::Backend& backend,
                                  std::shared_ptr<const ir::Model> single, std::string function,
                                  std::vector<Inputs> samples, int threads) {
  HalfCheck check;
  check.backend_ = &backend;
  check.single_ = std::move(single);
  check.function_ = std::move(function);
  check.samples_ = std::move(samples);
  check.threads_ = threads;
  exec::LoadOptions load;
  load.function = check.function_;
  load.threads = threads;
  load.numerics = exec::Numerics::kFloat32;
  ANEMONE_ASSIGN(const auto executable, backend.Load(check.single_, load).At("in float32"));
  for (const Inputs& inputs : check.samples_) {
    exec::State state;
    ANEMONE_ASSIGN(auto outputs, executable->Run(inputs, &state, nullptr).At("in float32"));
    check.wanted_.push_back(std::move(outputs));
  }
  ANEMONE_ASSIGN(const ir::Function* chosen, exec::ChooseFunction(*check.single_, check.function_));
  for (const ir::Value* output : chosen->outputs()) check.outputs_.push_back(output->name);
  return check;
}

Result<HalfOutcome> HalfCheck::Judge(std::shared_ptr<const ir::Model> half, size_t samples) const {
  const size_t count = samples == 0 ? samples_.size() : std::min(samples, samples_.size());
  exec::LoadOptions load;
  load.function = function_;
  load.threads = threads_;
  ANEMONE_ASSIGN(const auto executable, backend_->Load(std::move(half), load).At("in float16"));
  std::vector<Outputs> got;
  for (size_t i = 0; i < count; ++i) {
    exec::State state;
    ANEMONE_ASSIGN(auto outputs, executable->Run(samples_[i], &state, nullptr).At("in float16"));
    got.push_back(std::move(outputs));
  }
  HalfOutcome outcome;
  for (const std::string& name : outputs_) {
    HalfOutput output;
    output.name = name;
    ParityMeter meter;
    for (size_t i = 0; i < count; ++i) {
      const auto wanted = wanted_[i].find(name);
      const auto found = got[i].find(name);
      if (wanted == wanted_[i].end() || found == got[i].end())
        return Internal("the output '{}' is missing", name);
      output.floats = wanted->second.dtype() == DType::kFp32;
      // Outputs whose sizes depend on the data may differ in shape; then they are not comparable.
      if (wanted->second.shape() != found->second.shape()) continue;
      ANEMONE_TRY(meter.Add(wanted->second.view(), found->second.view()).At("output " + name));
    }
    output.parity = meter.Result();
    if (!output.floats) output.differing = ShareThatDiffers({wanted_.data(), count}, got, name);
    output.constant = IsConstant({wanted_.data(), count}, {got.data(), count}, name);
    if (output.floats && outcome.failure.empty() && output.parity.non_finite > 0) {
      outcome.failure =
          fmt::format("the output '{}' differs from float32 in {} values that are NaN or infinite",
                      name, output.parity.non_finite);
    }
    if (outcome.failure.empty() && output.constant) {
      outcome.failure = fmt::format(
          "the output '{}' is the same for all {} samples, and float32 tells them apart", name,
          count);
    }
    double difference = output.parity.linf_relative;
    if (!output.floats) {
      difference = output.differing > kManyIntegers ? output.differing : 0;
    } else if (output.parity.reference_range == 0 && output.parity.linf > 0) {
      const double largest = VariationOf({wanted_.data(), count}, name).largest;
      difference = largest > 0 ? output.parity.linf / largest : output.parity.linf;
    }
    if (difference > outcome.worst) {
      outcome.worst = difference;
      outcome.worst_output = name;
      outcome.worst_differs = !output.floats;
    }
    outcome.outputs.push_back(std::move(output));
  }
  if (!outcome.failure.empty()) outcome.worst = kInfinity;
  return outcome;
}

}  // namespace anemone::lab
