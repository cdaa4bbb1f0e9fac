// RunCompile: an .mlmodelc from any MODEL, with the document "anemone.compile".
#include <chrono>
#include <filesystem>
#include <optional>

#include "base/clock.h"
#include "base/temporary_folder.h"
#include "facade/document.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "format/compiled_comparison.h"
#include "format/compiled_writer.h"
#include "format/package.h"
#include "runtime/child_process.h"

namespace anemone::facade {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".mlmodelc";
constexpr std::chrono::minutes kCoremlcTimeout(10);

std::string WithoutSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// A model file that is compiled as it is, its bytes kept: a package, or an .mlmodel.
bool IsCompiledAsItIs(const std::string& model) {
  return model.ends_with(".mlpackage") || model.ends_with(".mlmodel");
}

struct Source {
  std::string name;                       // of the class in an app
  std::string path;                       // the package, or the .mlmodel
  std::optional<TemporaryFolder> folder;  // what `path` lies in, for a model that had no package
};

Result<Source> CompileSourceOf(const CompileOptions& options) {
  const std::string model = WithoutSlashes(options.model);
  if (IsCompiledAsItIs(model)) return Source{fs::path(model).stem().string(), model, std::nullopt};
  ANEMONE_ASSIGN(const LoadedModel loaded, LoadModel(options));
  ANEMONE_ASSIGN(TemporaryFolder folder, TemporaryFolder::Create("anemone-compile"));
  Source source{loaded.name, folder / "model.mlpackage", std::nullopt};
  ANEMONE_TRY(format::WritePackage(*loaded.model, source.path));
  source.folder = std::move(folder);
  return source;
}

std::string DocumentOf(const CompileOptions& options, const CompileResult& result,
                       int32_t specification_version, int64_t duration_ns) {
  Json document = Document("anemone.compile");
  document["model"] = options.model;
  document["output"] = result.output;
  document["specification_version"] = specification_version;
  int64_t size = 0;
  Json files = Json::Array();
  for (const CompileResult::File& one : result.files) {
    files.push_back({{"path", one.path}, {"bytes", one.bytes}});
    size += one.bytes;
  }
  document["size_bytes"] = size;
  document["files"] = std::move(files);
  document["checked"] = Json::Array({"the source decodes, and its features are the program's",
                                     "model.mil and coremldata.bin read back as the same model"});
  document["unconfirmed"] = Json(result.unconfirmed);
  document["coremlc"] = nullptr;  // not asked: it runs on a Mac only
  if (result.differences) {
    document["coremlc"] = {{"program", options.coremlc},
                           {"equal", result.differences->empty()},
                           {"differences", Json(*result.differences)}};
  }
  document["duration_ns"] = duration_ns;
  return DocumentText(document);
}

// What Apple's compiler makes of the source in `folder`.
Result<std::string> AskCoremlc(const std::string& program, const std::string& source,
                               const std::string& folder) {
  runtime::ChildOptions child;
  child.arguments = {program, "compile", fs::absolute(source).string(), folder};
  if (program == "xcrun") child.arguments.insert(child.arguments.begin() + 1, "coremlc");
  child.timeout = kCoremlcTimeout;
  ANEMONE_ASSIGN(const runtime::ChildResult result, runtime::RunChild(child));
  if (result.end != runtime::ChildResult::End::kExited || result.exit_code != 0) {
    return Unavailable("'{}' {}: {}", program, result.Describe(), result.errors)
        .Advise("compile without --coremlc, or mend what Apple's compiler says");
  }
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == kEnding) return entry.path().string();
  }
  return Unavailable("'{}' ended well and left no {}", program, kEnding);
}

}  // namespace

Result<CompileResult> RunCompile(const CompileOptions& options) {
  const int64_t start = NowNs();
  CompileResult result;
  result.output = WithoutSlashes(options.output);
  if (!result.output.empty() && !result.output.ends_with(kEnding)) {
    return Usage("cannot write '{}'", options.output).Advise("name an .mlmodelc");
  }
  ANEMONE_ASSIGN(const Source source, CompileSourceOf(options));
  if (result.output.empty()) result.output = source.name + std::string(kEnding);
  ANEMONE_ASSIGN(const format::ModelFile file, format::ModelFile::Open(source.path));
  ANEMONE_ASSIGN(const format::CompiledModel compiled,
                 format::CompileModel(file, {.class_name = source.name}));
  ANEMONE_TRY(format::WriteCompiled(compiled, result.output));
  for (const format::CompiledFile& one : format::FilesOf(compiled)) {
    result.files.push_back({one.path, static_cast<int64_t>(one.bytes.size())});
  }
  result.unconfirmed.assign(compiled.unconfirmed.begin(), compiled.unconfirmed.end());
  if (!options.coremlc.empty()) {
    ANEMONE_ASSIGN(const TemporaryFolder folder, TemporaryFolder::Create("anemone-coremlc"));
    ANEMONE_ASSIGN(const std::string theirs,
                   AskCoremlc(options.coremlc, source.path, folder.path()));
    ANEMONE_ASSIGN(result.differences, format::CompareCompiled(result.output, theirs));
  }
  result.json = DocumentOf(options, result, compiled.specification_version, NowNs() - start);
  return result;
}

}  // namespace anemone::facade
