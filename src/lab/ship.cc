#include "lab/ship.h"

#include <algorithm>
#include <optional>
#include <span>

#include "compress/linear_quantization.h"
#include "lab/search.h"
#include "lab/sensitivity.h"
#include "lab/verify.h"

namespace anemone::lab {
namespace {

Form Int8Form() {
  return {"int8", compress::LinearConfig{.granularity = compress::Granularity::kPerChannel,
                                         .rounding = compress::Rounding::kGptq}};
}

// How much of its limits the worst output uses; infinite for a value that is not finite.
double WorstShare(std::span<const OutputParity> outputs) {
  double worst = 0;
  for (const OutputParity& output : outputs) {
    if (output.parity.non_finite > 0) return kInfinity;
    worst = std::max(
        {worst, output.judged.linf / output.limits.linf, output.judged.rmse / output.limits.rmse});
  }
  return worst;
}

class Shipping {
 public:
  Shipping(const LabSubject& subject, const ShipOptions& options)
      : subject_(subject), options_(options) {
    for (int64_t i = 0; i < subject.samples().count(); ++i)
      inputs_.push_back(subject.samples().at(i));
  }

  // The variant with these weights as they are, and everything else in 8 bits.
  Result<Shipped> Try(std::span<const WeightSensitivity> kept) const {
    Shipped shipped;
    compress::WeightStep step{.global_config = Int8Form().config};
    for (const WeightSensitivity& weight : kept) {
      step.op_name_configs[weight.setting] = std::nullopt;
      shipped.kept.push_back(weight.weight);
    }
    shipped.configuration = {.weights = {std::move(step)}, .correct_bias = true};
    ANEMONE_ASSIGN(shipped.model,
                   MakeVariant(subject_, shipped.configuration,
                               {.threads = options_.threads, .cancelled = options_.cancelled},
                               &shipped.report));
    VerifyOptions verify;
    verify.threads = options_.threads;
    verify.cancelled = options_.cancelled;
    ANEMONE_ASSIGN(const auto outputs, VerifyOn(subject_.backend(), subject_.reference(),
                                                shipped.model, options_.limits, verify, inputs_));
    shipped.worst = WorstShare(outputs);
    shipped.within = shipped.worst <= options_.share;
    return shipped;
  }

  // The weights, those first that lose most for each byte that they save.
  Result<std::vector<WeightSensitivity>> ByPrice() const {
    SensitivityOptions measure;
    measure.forms = {Int8Form()};
    measure.samples = options_.sensitivity_samples;
    measure.threads = options_.threads;
    measure.cancelled = options_.cancelled;
    ANEMONE_ASSIGN(auto weights, MeasureSensitivity(subject_, measure));
    std::erase_if(weights, [](const WeightSensitivity& weight) {
      return !weight.skipped.empty() || weight.forms.empty() || !weight.forms[0].possible ||
             weight.forms[0].bytes >= weight.bytes;
    });
    std::ranges::stable_sort(weights, std::ranges::greater(), [](const WeightSensitivity& weight) {
      return weight.forms[0].loss / static_cast<double>(Saved(weight));
    });
    return weights;
  }

  static int64_t Saved(const WeightSensitivity& weight) {
    return weight.bytes - weight.forms[0].bytes;
  }

 private:
  const LabSubject& subject_;
  const ShipOptions& options_;
  std::vector<Inputs> inputs_;
};

}  // namespace

Result<Shipped> ShipInt8(const LabSubject& subject, const ShipOptions& options) {
  const auto tell = [&](const std::string& what) {
    if (options.progress) options.progress(what);
  };
  const Shipping shipping(subject, options);
  tell("8 bits per channel");
  ANEMONE_ASSIGN(Shipped best, shipping.Try({}));
  if (best.within) return best;
  tell("measuring the sensitivity of each weight");
  ANEMONE_ASSIGN(auto weights, shipping.ByPrice());
  // Those for which there is room; a large one does not keep smaller ones out.
  int64_t room = options.max_weight_bytes - best.report.bytes_after;
  if (options.max_weight_bytes > 0) {
    std::erase_if(weights, [&](const WeightSensitivity& weight) {
      if (Shipping::Saved(weight) > room) return true;
      room -= Shipping::Saved(weight);
      return false;
    });
  }
  // The fewest that do: twice as many each time, and then the smallest number between.
  size_t missed = 0;
  size_t held = 0;
  for (size_t count = 1; held == 0 && missed < weights.size(); count *= 2) {
    count = std::min(count, weights.size());
    tell(count == 1 ? "1 operator kept wide" : fmt::format("{} operators kept wide", count));
    ANEMONE_ASSIGN(Shipped tried, shipping.Try(std::span(weights).first(count)));
    (tried.within ? held : missed) = count;
    if (tried.within || tried.worst < best.worst) best = std::move(tried);
  }
  while (held > missed + 1) {
    const size_t count = (held + missed) / 2;
    tell(fmt::format("{} operators kept wide", count));
    ANEMONE_ASSIGN(Shipped tried, shipping.Try(std::span(weights).first(count)));
    (tried.within ? held : missed) = count;
    if (tried.within) best = std::move(tried);
  }
  return best;
}

}  // namespace anemone::lab
