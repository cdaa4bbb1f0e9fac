#include "options/shared_rows.h"

namespace anemone::options {

Table TableOf(ConvertOptions& options) {
  return {
      TargetRow(options.minimum_deployment_target, "the oldest system that must run the result"),
      PrecisionRow(options.compute_precision, "what operators compute in"),
      KeepFloat32Row(options.keep_float32),
  };
}

}  // namespace anemone::options
