// What a lab is asked to compress, made ready: the reference and the base, the samples that judge
// and those that are learned from, the subject of the sweep. The lab and its workers on other
// machines make the same from the same options.
// Thread rules: one thread. Errors: those of loading, converting and reading samples.
#pragma once

#include <memory>
#include <string>

#include "anemone/tools.h"
#include "base/status.h"
#include "facade/convert.h"
#include "lab/samples.h"
#include "lab/variant.h"

namespace anemone::facade {

// What is compressed, and what it is compared with.
struct LabModels {
  std::shared_ptr<const ir::Model> reference;
  std::shared_ptr<const ir::Model> base;
  std::string name;
  std::string precision;
  bool converted = false;  // the base is not the user's own package
  ConvertOptions convert;
};

struct PreparedLab {
  LabModels models;
  std::shared_ptr<const lab::Samples> judged;
  std::shared_ptr<const lab::Samples> learned_from;  // null: none
  lab::LabSubject subject;
};

// Resolves options.hold_out for good: workers are told the outcome.
Result<PreparedLab> PrepareLab(LabOptions& options, const Hooks& hooks);

// A copy of the model, converted.
Result<std::shared_ptr<const ir::Model>> ConvertedCopy(const ir::Model& model,
                                                       ConvertOptions options,
                                                       const std::string& precision);

}  // namespace anemone::facade
