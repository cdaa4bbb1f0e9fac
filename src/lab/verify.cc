#include "lab/verify.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "exec/function_inputs.h"

namespace anemone::lab {
namespace {

struct Pair {
  std::unique_ptr<exec::Executable> reference;
  std::unique_ptr<exec::Executable> variant;
};

Result<Pair> LoadPair(const exec::Backend& backend, std::shared_ptr<const ir::Model> reference,
                      std::shared_ptr<const ir::Model> variant, const VerifyOptions& options) {
  Pair pair;
  exec::LoadOptions load;
  load.threads = options.threads;
  load.numerics = options.reference_numerics;
  {
    auto executable = backend.Load(std::move(reference), load).At("reference");
    if (!executable.ok()) return std::move(executable).error();
    pair.reference = std::move(executable).value();
  }
  load.numerics = options.variant_numerics;
  {
    auto executable = backend.Load(std::move(variant), load).At("variant");
    if (!executable.ok()) return std::move(executable).error();
    pair.variant = std::move(executable).value();
  }
  return pair;
}

}  // namespace

std::string DescribeInputs(const VerifyOptions& options) {
  return fmt::format("{} seeded standard-normal inputs (seed {})", options.samples, options.seed);
}

Result<std::vector<OutputParity>> Verify(const exec::Backend& backend,
                                         std::shared_ptr<const ir::Model> reference,
                                         std::shared_ptr<const ir::Model> variant,
                                         const ParityLimits& limits, const VerifyOptions& options) {
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*reference, ""));
  std::vector<Inputs> inputs;
  for (int sample = 0; sample < options.samples; ++sample) {
    ANEMONE_ASSIGN(Inputs set, exec::SyntheticInputs(*reference, *function, options.seed, sample));
    inputs.push_back(std::move(set));
  }
  return VerifyOn(backend, std::move(reference), std::move(variant), limits, options, inputs);
}

Result<std::vector<OutputParity>> VerifyOn(const exec::Backend& backend,
                                           std::shared_ptr<const ir::Model> reference,
                                           std::shared_ptr<const ir::Model> variant,
                                           const ParityLimits& limits, const VerifyOptions& options,
                                           const std::vector<Inputs>& inputs) {
  ANEMONE_ASSIGN(const ir::Function* function, exec::ChooseFunction(*reference, ""));
  ANEMONE_ASSIGN(Pair pair, LoadPair(backend, reference, variant, options));
  std::vector<ParityMeter> meters(function->outputs().size());
  for (const Inputs& set : inputs) {
    if (options.cancelled && options.cancelled()) return Cancelled("interrupted");
    ANEMONE_ASSIGN(const auto want, pair.reference->Run(set, nullptr, nullptr).At("reference"));
    ANEMONE_ASSIGN(const auto got, pair.variant->Run(set, nullptr, nullptr).At("variant"));
    for (size_t i = 0; i < meters.size(); ++i) {
      const std::string& name = function->outputs()[i]->name;
      const auto found = got.find(name);
      if (found == got.end()) return Usage("the variant has no output '{}'", name);
      ANEMONE_TRY(meters[i].Add(want.at(name).view(), found->second.view()).At("output " + name));
    }
  }
  std::vector<OutputParity> outputs;
  for (size_t i = 0; i < meters.size(); ++i) {
    OutputParity output{function->outputs()[i]->name, meters[i].Result(), limits, {}};
    output.judged = Judge(output.parity, limits);
    outputs.push_back(std::move(output));
  }
  return outputs;
}

Result<std::vector<OperatorDrift>> CompareOperators(const exec::Backend& backend,
                                                    std::shared_ptr<const ir::Model> reference,
                                                    std::shared_ptr<const ir::Model> variant,
                                                    const Inputs& inputs,
                                                    const VerifyOptions& options) {
  ANEMONE_ASSIGN(Pair pair, LoadPair(backend, std::move(reference), std::move(variant), options));
  // The reference's values are copied, because its tracer's views end with the call.
  std::unordered_map<std::string, exec::Tensor> wanted;
  Status failed;
  exec::Tracer keep;
  keep.values = true;
  keep.on_operation = [&](const exec::TraceEvent& event) {
    if (event.operation == nullptr) return;
    for (size_t i = 0; i < event.outputs.size() && i < event.operation->outputs().size(); ++i) {
      auto copy = exec::Tensor::Copy(event.outputs[i]);
      if (copy.ok()) {
        wanted[event.operation->output(i)->name] = std::move(copy).value();
      } else {
        failed = std::move(copy).status();
      }
    }
  };
  ANEMONE_TRY(pair.reference->Run(inputs, nullptr, &keep).At("reference").status());
  ANEMONE_TRY(failed);
  std::vector<OperatorDrift> drifts;
  exec::Tracer compare;
  compare.values = true;
  compare.on_operation = [&](const exec::TraceEvent& event) {
    if (event.operation == nullptr || event.outputs.empty() || event.operation->outputs().empty()) {
      return;
    }
    const auto found = wanted.find(event.operation->output()->name);
    if (found == wanted.end() || found->second.shape() != event.outputs[0].shape) return;
    ParityMeter meter;
    if (!meter.Add(found->second.view(), event.outputs[0]).ok()) return;
    drifts.push_back({event.operation->name(), event.operation->type(), meter.Result()});
  };
  ANEMONE_TRY(pair.variant->Run(inputs, nullptr, &compare).At("variant").status());
  return drifts;
}

std::string FirstDrift(const std::vector<OperatorDrift>& drifts, const ParityLimits& limits) {
  for (const OperatorDrift& drift : drifts) {
    const Parity& parity = drift.parity;
    // One value, such as a scalar, has no range to divide by: its difference counts as it is.
    const bool constant = parity.reference_range == 0 && std::isfinite(parity.linf);
    const double linf = constant ? parity.linf : parity.linf_relative;
    if (linf <= limits.linf && parity.non_finite == 0) continue;
    return fmt::format("{} '{}' (L-inf {:.3g}{})", drift.type, drift.name, linf,
                       constant ? ", of one value" : " of its range");
  }
  return "";
}

}  // namespace anemone::lab
