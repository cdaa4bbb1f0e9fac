#include "coreml/configuration.h"

namespace anemone::coreml {
namespace {

MLComputeUnits UnitsOf(ComputeUnits units) {
  switch (units) {
    case ComputeUnits::kCpuOnly:
      return MLComputeUnitsCPUOnly;
    case ComputeUnits::kCpuAndGpu:
      return MLComputeUnitsCPUAndGPU;
    case ComputeUnits::kCpuAndNe:
      return MLComputeUnitsCPUAndNeuralEngine;
    case ComputeUnits::kAll:
      break;
  }
  return MLComputeUnitsAll;
}

// Hints are optional: a system that does not know one ignores it.
void ApplyHints(const exec::OptimizationHints& hints, MLModelConfiguration* configuration) {
  if (hints == exec::OptimizationHints()) return;
#if ANEMONE_SDK(140400)
  if (@available(macOS 14.4, iOS 17.4, *)) {
    MLOptimizationHints* wishes = [[[MLOptimizationHints alloc] init] autorelease];
    if (hints.infrequent_reshape) wishes.reshapeFrequency = MLReshapeFrequencyHintInfrequent;
#if ANEMONE_SDK(150000)
    if (@available(macOS 15.0, iOS 18.0, *)) {
      if (hints.fast_prediction) {
        wishes.specializationStrategy = MLSpecializationStrategyFastPrediction;
      }
    }
#endif
    configuration.optimizationHints = wishes;
  }
#endif
}

}  // namespace

Result<MLModelConfiguration*> MakeConfiguration(const ir::Model& model,
                                                const exec::LoadOptions& options) {
  MLModelConfiguration* configuration = [[[MLModelConfiguration alloc] init] autorelease];
  configuration.computeUnits = UnitsOf(options.compute_units);
  ApplyHints(options.hints, configuration);
  if (!model.multi_function) return configuration;
  const std::string function = options.function.empty() ? model.default_function : options.function;
  if (function.empty()) return configuration;
#if ANEMONE_SDK(150000)
  if (@available(macOS 15.0, iOS 18.0, *)) {
    configuration.functionName = NsText(function);
    return configuration;
  }
#endif
  return Unavailable("models with several functions need macOS 15 or iOS 18");
}

}  // namespace anemone::coreml
