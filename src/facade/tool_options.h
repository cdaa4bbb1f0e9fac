// What the tools are told, turned into what the layers below work with; and what they tell back.
// Thread rules: pure functions but for the files that are read. Errors: kUsage with the rule.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "anemone/tools.h"
#include "base/status.h"
#include "facade/model_source.h"

namespace anemone::facade {

// Where a tool's model comes from; `target` is that of what importers and builders write.
ModelSource SourceOf(const ModelOptions& options, const std::string& target = "iOS17");
Result<LoadedModel> LoadModel(const ModelOptions& options, const std::string& target = "iOS17");
// One that a path or a catalog name alone says.
Result<LoadedModel> LoadModel(const std::string& model);

// Of the shapes that a tool was given, those of which every dimension is a number.
std::map<std::string, std::vector<int64_t>> FixedShapes(
    const std::map<std::string, std::vector<Dimension>>& shapes);

// The caller's hook, which may be null.
inline void Tell(const Hooks& hooks, const std::string& stage, int64_t done = 0,
                 int64_t total = 0) {
  if (hooks.progress) hooks.progress(stage, done, total);
}
// kCancelled when the caller wants no more.
Status CheckCancelled(const Hooks& hooks);

}  // namespace anemone::facade
