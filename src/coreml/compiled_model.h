// From a model to a loaded MLModel: the package (written if there is none), Apple's compiler,
// the cache of compiled models, loading. Objective-C++ only. Ownership: a CompiledModel keeps its
// files: the lock on its entry of the cache, or a temporary folder that it removes.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/temporary_folder.h"
#include "coreml/objc.h"
#include "exec/backend.h"
#include "ir/model.h"
#include "runtime/compiled_cache.h"

namespace anemone::coreml {

struct CompiledModel {
  std::string path;  // of the .mlmodelc
  std::optional<runtime::CompiledEntry> entry;
  std::optional<TemporaryFolder> temporary;

  bool from_cache() const { return entry && entry->found(); }
};

// Compiles, or takes the cached model; `fresh` compiles in any case, and replaces the
// cache's entry.
Result<CompiledModel> Compile(const ir::Model& model, const exec::LoadOptions& options, bool fresh);

struct LoadedModel {
  CompiledModel compiled;
  Strong<MLModel*> model;
};
// Compiles and loads. A cached model that does not load is compiled again, once.
Result<LoadedModel> CompileAndLoad(const ir::Model& model, const exec::LoadOptions& options);

}  // namespace anemone::coreml
