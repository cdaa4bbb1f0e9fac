#include "options/shared_rows.h"

namespace anemone::options {

Table TableOf(LoadOptions& options) {
  return {
      WeightsRow(options.weights),
      SeedRow(options.seed),
      InputShapesRow(options.input_shapes),
      InputValueRow(options.input_value),
      LoweringRow(options.lowering),
      ClampInt64Row(options.clamp_int64),
      TargetRow(options.minimum_deployment_target,
                "the oldest system that must run what an importer writes"),
      BackendRow(options.backend),
      FunctionRow(options.function),
      NumericsRow(options.numerics),
      ThreadsRow(options.threads),
  };
}

}  // namespace anemone::options
