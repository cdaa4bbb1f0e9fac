// metadata.json of a compiled model, as Core ML's compiler writes it: a list of one object with the
// features, the precisions and a count of the operators. Nothing reads it to run a model.
//
// Thread rules: pure functions. Errors: kInvalidInput for a description that is broken.
#pragma once

#include <set>
#include <string>

#include "base/json.h"
#include "base/status.h"
#include "format/proto/model.pb.h"

namespace anemone::format {

struct CompiledMetadata {
  Json json;
  // What is written by a rule that no public compiled model shows for it, one sentence each.
  std::set<std::string> unconfirmed;
};
// `class_name` is the name of the class that an app uses the model by.
Result<CompiledMetadata> DescribeForApps(const proto::Model& model, const std::string& class_name);

// The name of a model as an identifier: every other character becomes '_'.
std::string ClassNameOf(std::string_view name);

}  // namespace anemone::format
