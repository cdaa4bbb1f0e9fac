// From a model to a loaded MLModel: the package (written where there is none), Apple's compiler,
// the cache of compiled models, loading. Objective-C++ only. Ownership: a CompiledModel keeps its
// files: the lock on its entry of the cache, or a temporary folder that it removes.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "coreml/objc.h"
#include "exec/backend.h"
#include "ir/model.h"
#include "runtime/compiled_cache.h"

namespace anemone::coreml {

// A folder in the system's temporary place, removed with all that is in it.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> Create();
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  ~TemporaryFolder();
  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

struct CompiledModel {
  std::string path;  // of the .mlmodelc
  std::optional<runtime::CompiledEntry> entry;
  std::optional<TemporaryFolder> temporary;

  bool from_cache() const { return entry && entry->found(); }
};

// Compiles, or takes what is in the cache; `fresh` compiles whatever the cache holds, and replaces
// it.
Result<CompiledModel> Compile(const ir::Model& model, const exec::LoadOptions& options, bool fresh);

struct LoadedModel {
  CompiledModel compiled;
  Strong<MLModel*> model;
};
// Compiles and loads. What the cache holds but does not load is compiled anew, once.
Result<LoadedModel> CompileAndLoad(const ir::Model& model, const exec::LoadOptions& options);

}  // namespace anemone::coreml
