#include "coreml/compiled_model.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "base/tree_hash.h"
#include "coreml/configuration.h"
#include "format/package.h"
#include "runtime/host.h"

namespace anemone::coreml {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCompiledName = "model.mlmodelc";

Error FileError(const std::string& path, std::string_view what, const std::error_code& error) {
  return IoError("{}: {}", what, error.message()).At(path);
}

// The package to compile: the one the model was read from, or else one written to `folder`.
Result<std::string> PackageOf(const ir::Model& model, const exec::LoadOptions& options,
                              const std::string& folder) {
  const fs::path given(options.package_path);
  if (given.extension() == ".mlpackage" || given.extension() == ".mlmodel") return given.string();
  const std::string path = folder + "/model.mlpackage";
  format::WriteOptions write;
  write.durability = Durability::kProcess;
  ANEMONE_TRY(format::WritePackage(model, path, write).At("package for Core ML"));
  return path;
}

// Deprecated in favor of one that answers on another thread, which a child process with a deadline
// does not need.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations"
NSURL* CompileAtUrl(NSURL* url, NSError** error) {
  return [MLModel compileModelAtURL:url error:error];
}
#pragma clang diagnostic pop

// Runs Apple's compiler and moves its result to `target`.
Status CompileTo(const std::string& package, const std::string& target) {
  std::string made;
  ANEMONE_TRY(Pooled(exec::FailureKind::kCompileError, [&]() -> Status {
    NSError* error = nil;
    NSURL* url = CompileAtUrl([NSURL fileURLWithPath:NsText(package)], &error);
    if (url == nil) return ErrorOf(exec::FailureKind::kCompileError, error);
    made = Text([url path]);
    return {};
  }));
  std::error_code error;
  fs::rename(made, target, error);
  if (!error) return {};
  // The temporary folder is on another disk, so the result must be copied.
  fs::copy(made, target, fs::copy_options::recursive, error);
  std::error_code ignored;
  fs::remove_all(made, ignored);
  if (error) return FileError(target, "cannot move the compiled model", error);
  return {};
}

Result<Strong<MLModel*>> LoadFrom(const std::string& path, const ir::Model& model,
                                  const exec::LoadOptions& options) {
  Strong<MLModel*> loaded;
  ANEMONE_TRY(Pooled(exec::FailureKind::kLoadError, [&]() -> Status {
    ANEMONE_ASSIGN(MLModelConfiguration * configuration, MakeConfiguration(model, options));
    NSError* error = nil;
    MLModel* object = [MLModel modelWithContentsOfURL:[NSURL fileURLWithPath:NsText(path)]
                                        configuration:configuration
                                                error:&error];
    if (object == nil) return ErrorOf(exec::FailureKind::kLoadError, error);
    loaded = Strong<MLModel*>(object);
    return {};
  }));
  return loaded;
}

}  // namespace

Result<CompiledModel> Compile(const ir::Model& model, const exec::LoadOptions& options,
                              bool fresh) {
  CompiledModel compiled;
  if (fs::path(options.package_path).extension() == ".mlmodelc") {
    compiled.path = options.package_path;
    return compiled;
  }
  ANEMONE_ASSIGN(compiled.temporary, TemporaryFolder::Create("anemone-coreml"));
  ANEMONE_ASSIGN(const std::string package, PackageOf(model, options, compiled.temporary->path()));
  if (options.cache_dir.empty()) {
    compiled.path = compiled.temporary->path() + "/" + kCompiledName;
    ANEMONE_TRY(CompileTo(package, compiled.path));
    return compiled;
  }
  runtime::CompiledKey key;
  ANEMONE_ASSIGN(const TreeFacts facts, HashTree(package));
  key.content_sha256 = facts.sha256;
  key.os_build = runtime::HostOsBuild();
  key.compute_units = ComputeUnitsName(options.compute_units);
  ANEMONE_ASSIGN(auto cache, runtime::CompiledCache::Open(options.cache_dir + "/compiled"));
  if (fresh) ANEMONE_TRY(cache.Remove(key));
  ANEMONE_ASSIGN(
      compiled.entry,
      cache.FindOrMake(key, fs::path(package).stem().string(), [&](const std::string& folder) {
        return CompileTo(package, folder + "/" + kCompiledName);
      }));
  compiled.path = compiled.entry->path() + "/" + kCompiledName;
  compiled.temporary.reset();
  return compiled;
}

Result<LoadedModel> CompileAndLoad(const ir::Model& model, const exec::LoadOptions& options) {
  LoadedModel result;
  ANEMONE_ASSIGN(result.compiled, Compile(model, options, false));
  auto loaded = LoadFrom(result.compiled.path, model, options);
  if (!loaded.ok() && result.compiled.from_cache()) {
    // Complete, but the system rejects it: its own format may have changed.
    result.compiled = CompiledModel();  // releases the lock, so that the entry can be replaced
    ANEMONE_ASSIGN(result.compiled, Compile(model, options, true));
    loaded = LoadFrom(result.compiled.path, model, options);
  }
  if (!loaded.ok()) return std::move(loaded).error();
  result.model = std::move(loaded).value();
  return result;
}

}  // namespace anemone::coreml
