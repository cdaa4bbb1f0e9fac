#include "format/compiled_writer.h"

#include <filesystem>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "base/sha256.h"
#include "format/compiled_data.h"
#include "format/compiled_metadata.h"
#include "format/compiled_reader.h"
#include "format/mil_text.h"
#include "format/package_layout.h"
#include "ir/text.h"

namespace anemone::format {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModelPath = "@model_path/";

std::string Base64(std::span<const uint8_t> bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0u);
    for (size_t j = 0; j < 4; ++j) {
      text += j <= count ? kDigits[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return text;
}

// The paths below the model's folder that constants are stored at.
class WeightPaths {
 public:
  Status Add(const proto::Program& program) {
    for (const auto& function : program.functions()) {
      for (const auto& block : function.value().block_specializations()) {
        ANEMONE_TRY(Add(block.value()));
      }
    }
    return {};
  }
  const std::set<std::string>& paths() const { return paths_; }

 private:
  // Blobs are attributes of operations only; PrintMilText refuses those elsewhere.
  Status Add(const proto::Block& block) {
    for (const proto::Operation& operation : block.operations()) {
      for (const proto::AttributeEntry& attribute : operation.attributes()) {
        if (!attribute.value().has_blobfilevalue()) continue;
        const std::string& name = attribute.value().blobfilevalue().filename();
        if (!name.starts_with(kModelPath) || !IsSafeRelative(name.substr(kModelPath.size()))) {
          return Unsupported("a weight file must be named '{}...' below the model's folder",
                             kModelPath)
              .Advise(kUnseenAdvice);
        }
        paths_.insert(name.substr(kModelPath.size()));
      }
    }
    return {};
  }

  static bool IsSafeRelative(const std::string& path) {
    const fs::path normal = fs::path(path).lexically_normal();
    return !path.empty() && normal.is_relative() && *normal.begin() != ".." &&
           normal.string() == path && normal.has_filename();
  }

  std::set<std::string> paths_;
};

// What coremldata.bin and metadata.json would have to hold besides, and nobody knows how.
Status CheckKnown(const proto::Model& model) {
  const proto::ModelDescription& description = model.description();
  const auto classifies = [](const auto& wire) {
    return !wire.predictedfeaturename().empty() || !wire.predictedprobabilitiesname().empty();
  };
  bool classifier = classifies(description);
  bool stateful = description.state_size() != 0;
  for (const proto::FunctionDescription& function : description.functions()) {
    classifier = classifier || classifies(function);
    stateful = stateful || function.state_size() != 0;
  }
  if (classifier) return UnseenForm("a classifier");
  if (stateful) return UnseenForm("a model with states");
  if (model.isupdatable()) return UnseenForm("an updatable model");
  return {};
}

// `whole`: not a part of a pipeline.
CompiledData DataOf(const proto::Model& model, bool whole, std::set<std::string>* unconfirmed) {
  const int32_t specification = model.specificationversion();
  // The version of the compiled format: that of the text's dialect, as the public files have it.
  constexpr int32_t kPlainScalars = 9;
  if (specification == 8) {
    unconfirmed->insert(
        "coremldata.bin: the compiled format's version for specification version 8 (5 is written, "
        "as for 6 and 7)");
  }
  CompiledData data;
  data.model_type = kMlProgramType;
  data.format = {specification >= kPlainScalars ? uint64_t{9} : uint64_t{5}, 0, 0, "generic"};
  data.specification = {static_cast<uint64_t>(specification), 0, 0, ""};
  data.description = model.description();
  if (whole) data.description.mutable_metadata();  // present, even when empty
  const int functions = std::max(1, data.description.functions_size());
  const uint32_t type[] = {kMlProgramType, 0, 0,
                           0};  // the type, 0, and a list of no entries as u64
  for (int i = 0; i < functions; ++i) {
    data.parameters.append(reinterpret_cast<const char*>(type), sizeof(type));
  }
  return data;
}

// A program as text without what the compiler adds of itself.
std::string TextWithoutBuildInfo(ir::Program* program) {
  program->attributes.erase("buildInfo");
  return ir::PrintText(*program);
}

Status CheckReadsBack(const ModelFile& file, const CompiledModel& compiled) {
  ANEMONE_ASSIGN(const ModelFile assembled,
                 AssembleCompiled(compiled.program, compiled.data, file.folder()));
  ANEMONE_ASSIGN(ir::Model read, DecodeProgramModel(assembled));
  auto ordered = std::make_shared<proto::Model>(file.message());
  OrderInputs(ordered.get());
  ANEMONE_ASSIGN(ir::Model source,
                 DecodeProgramModel(ModelFile::Of(std::move(ordered), file.name(), file.folder())));
  if (read.functions != source.functions || read.metadata != source.metadata ||
      TextWithoutBuildInfo(&read.program) != TextWithoutBuildInfo(&source.program)) {
    return Internal("the compiled model does not read back as the model that it was made from");
  }
  return {};
}

Status CheckReplaceableByCompiled(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::not_found) return {};
  if (error) return IoError("{}", error.message()).At(path);
  if (status.type() == fs::file_type::directory &&
      (fs::is_empty(path, error) || IsCompiledModel(path))) {
    return {};
  }
  return Usage("the path exists and is not an .mlmodelc; it is left alone")
      .At(path)
      .Advise("choose another output path, or remove what is there");
}

Result<CompiledModel> CompileProgram(const ModelFile& file, bool whole,
                                     const CompilerVersions& versions) {
  const proto::Model& model = file.message();
  ANEMONE_TRY(CheckKnown(model).At(file.name()));
  CompiledModel compiled;
  compiled.specification_version = model.specificationversion();
  ANEMONE_ASSIGN(compiled.program, PrintMilText(model, versions).At(file.name()));
  compiled.data = EncodeCompiledData(DataOf(model, whole, &compiled.unconfirmed));
  compiled.analytics = EncodeAnalytics(
      {{"NeuralNetworkModelDetails", {{"containsCustomLayer", "0"}, {"modelDimension", "0"}}}});
  WeightPaths weights;
  ANEMONE_TRY(weights.Add(model.mlprogram()).At(file.name()));
  for (const std::string& path : weights.paths()) {
    ANEMONE_ASSIGN(const std::string from, ResolveModelPath(file.folder(), path));
    ANEMONE_ASSIGN(Bytes bytes, MapFile(from));
    compiled.weights.push_back({path, std::move(bytes)});
  }
  ANEMONE_TRY(CheckReadsBack(file, compiled));
  return compiled;
}

Status CheckPart(const proto::Model& part, const ModelFile& file) {
  if (!part.has_mlprogram()) {
    return UnseenForm(fmt::format("a pipeline with a {}", file.type_name()));
  }
  if (part.description().functions_size() > 1) {
    return UnseenForm("a pipeline with a model of several functions");
  }
  return {};
}

// The models one by one, each with the weight files that it names; without metadata and the source's
// hash, which only the whole has.
Result<CompiledModel> CompilePipeline(const ModelFile& file, const CompileNames& names) {
  const proto::Model& model = file.message();
  const proto::Pipeline& pipeline = model.pipeline();
  ANEMONE_TRY(CheckKnown(model));
  if (pipeline.models().empty()) return UnseenForm("a pipeline without models");
  CompiledModel compiled;
  compiled.specification_version = model.specificationversion();
  CompiledData data;
  data.model_type = proto::Model::kPipelineFieldNumber;
  data.format = {1, 0, 1, "generic"};
  data.specification = {static_cast<uint64_t>(model.specificationversion()), 0, 0, ""};
  data.description = model.description();
  data.description.mutable_metadata();
  int index = 0;
  for (const proto::Model& part : pipeline.models()) {
    const std::string place = fmt::format("model {}", index);
    const ModelFile one = file.Part(part, file.name());
    ANEMONE_TRY(CheckPart(part, one).At(place));
    ANEMONE_ASSIGN(CompiledModel made, CompileProgram(one, false, names.versions).At(place));
    const FormatVersion format = DataOf(part, false, &compiled.unconfirmed).format;
    data.format.variant += fmt::format(".model{}v{}.{}.{}{}", index++, format.major, format.minor,
                                       format.patch, format.variant);
    compiled.unconfirmed.merge(made.unconfirmed);
    compiled.parts.push_back(std::move(made));
  }
  constexpr int32_t kSeen = 9;
  if (model.specificationversion() != kSeen) {
    compiled.unconfirmed.insert(fmt::format(
        "coremldata.bin: the compiled format's version of a pipeline of specification version {} "
        "(1.0.1 is written, as for 9)",
        model.specificationversion()));
  }
  const uint64_t count = compiled.parts.size();
  const uint32_t type[] = {data.model_type, 0};
  data.parameters.append(reinterpret_cast<const char*>(&count), sizeof(count));
  data.parameters.append(reinterpret_cast<const char*>(type), sizeof(type));
  compiled.data = EncodeCompiledData(data);
  if (!pipeline.names().empty()) {
    compiled.names = EncodeModelNames({pipeline.names().begin(), pipeline.names().end()});
  }
  compiled.analytics =
      EncodeAnalytics({{"PipelineModelDetails", {{"modelDimension", std::to_string(count)}}}});
  return compiled;
}

Status WriteInside(const std::string& folder, const std::string& path,
                   std::span<const std::byte> bytes) {
  const fs::path whole = fs::path(folder) / path;
  std::error_code error;
  fs::create_directories(whole.parent_path(), error);
  if (error) {
    return IoError("cannot create the directory: {}", error.message())
        .At(whole.parent_path().string());
  }
  ANEMONE_ASSIGN(OutputFile file, OutputFile::Create(whole.string()));
  ANEMONE_TRY(file.Write(bytes));
  return file.Close();
}

}  // namespace

Result<CompiledModel> CompileModel(const ModelFile& file, const CompileNames& names) {
  const proto::Model& model = file.message();
  CompiledModel compiled;
  if (model.has_pipeline()) {
    ANEMONE_ASSIGN(compiled, CompilePipeline(file, names).At(file.name()));
  } else if (model.has_mlprogram()) {
    ANEMONE_ASSIGN(compiled, CompileProgram(file, true, names.versions));
  } else {
    return Unsupported(
               "the model is of type {}; only ML Programs and pipelines of them are "
               "compiled here",
               file.type_name())
        .At(file.name())
        .Advise("convert it to an ML Program, or compile it with coremlc on a Mac");
  }
  ANEMONE_ASSIGN(CompiledMetadata metadata,
                 DescribeForApps(model, ClassNameOf(names.class_name)).At(file.name()));
  compiled.metadata = metadata.json.Dump({.indent = 2});
  compiled.unconfirmed.merge(metadata.unconfirmed);
  ANEMONE_ASSIGN(const Bytes source, MapFile(file.name()));
  const Sha256Digest digest = Sha256Of({source.data(), source.size()});
  compiled.analytics += EncodeAnalytics(
      {{"SpecificationDetails",
        {{"modelHash", Base64(digest)}, {"modelName", fs::path(file.name()).stem().string()}}}});
  return compiled;
}

std::vector<CompiledFile> FilesOf(const CompiledModel& model) {
  std::vector<CompiledFile> files;
  const auto add = [&](std::string_view path, const std::string& text) {
    if (!text.empty()) files.push_back({std::string(path), std::as_bytes(std::span(text))});
  };
  add(kCompiledProgramName, model.program);
  add(kCompiledDataName, model.data);
  add(kCompiledMetadataName, model.metadata);
  add("analytics/coremldata.bin", model.analytics);
  add(kModelNamesName, model.names);
  for (const CompiledModel::WeightFile& file : model.weights) {
    files.push_back({file.path, {file.bytes.data(), file.bytes.size()}});
  }
  for (size_t i = 0; i < model.parts.size(); ++i) {
    for (CompiledFile& file : FilesOf(model.parts[i])) {
      files.push_back({fmt::format("model{}/{}", i, file.path), file.bytes});
    }
  }
  return files;
}

Status WriteCompiled(const CompiledModel& model, const std::string& path) {
  ANEMONE_TRY(CheckReplaceableByCompiled(path));
  ANEMONE_ASSIGN(AtomicDirectory folder, AtomicDirectory::Create(path));
  for (const CompiledFile& file : FilesOf(model)) {
    ANEMONE_TRY(WriteInside(folder.path(), file.path, file.bytes));
  }
  return folder.Commit();
}

}  // namespace anemone::format
