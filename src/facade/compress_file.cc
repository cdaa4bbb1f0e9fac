// RunCompressFile: from a model to a compressed package with its manifest, with the document
// "anemone.compress".
#include <optional>
#include <thread>

#include "base/clock.h"
#include "compress/configuration_json.h"
#include "facade/compress.h"
#include "facade/convert.h"
#include "facade/document.h"
#include "facade/package_manifest.h"
#include "facade/save.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "options/option.h"

namespace anemone::facade {
namespace {

Json TensorsJson(const compress::Report& report) {
  Json tensors = Json::Array();
  for (const auto* records : {&report.compressed, &report.skipped}) {
    for (const compress::TensorRecord& tensor : *records) {
      tensors.push_back({{"name", tensor.name},
                         {"operator", tensor.op},
                         {"shape", tensor.shape},
                         {"elements", ir::ElementCount(tensor.shape).value_or(0)},
                         {"bytes_before", tensor.bytes_before},
                         {"bytes_after", tensor.bytes_after},
                         {"max_error", tensor.max_error},
                         {"rms_error", tensor.rms_error},
                         {"form", tensor.form.empty() ? Json() : Json(tensor.form)},
                         {"skipped", tensor.reason.empty() ? Json() : Json(tensor.reason)}});
    }
  }
  return tensors;
}

// What the key "precision" says of a variant.
std::string PrecisionName(const CompressOptions& options) {
  if (!options.config.empty()) return "configured";
  if (IsHalfPrecision(options)) return "fp16";
  if (options.mode == "palettize") {
    return options.nbits > 0 ? fmt::format("palette{}", options.nbits) : "palette";
  }
  if (options.mode == "prune") return "sparse";
  return options.mode == "activations" ? "w8a8" : options.dtype;
}

// What stands beside the package. Nothing was compared here: the deltas stay unknown.
Result<lab::Manifest> MakeManifest(const CompressFileOptions& options,
                                   const LoadedModel& compressed, const compress::Report& report) {
  lab::Manifest manifest;
  manifest.precision = PrecisionName(options.compress);
  NoteTensors(report, &manifest);
  SourceHash source(options.model);
  ANEMONE_TRY(
      DescribePackage(source, compressed, *compressed.model, options.output, nullptr, &manifest));
  return manifest;
}

// Reads the package back and compares it; it is described meanwhile. Returns the manifest, written.
Result<lab::Manifest> CheckAndDescribe(const CompressFileOptions& options,
                                       const LoadedModel& compressed,
                                       const compress::Report& report,
                                       std::optional<ir::Opset> raised_from) {
  Result<lab::Manifest> manifest = Internal("not made");
  std::thread describe([&] { manifest = MakeManifest(options, compressed, report); });
  const Status same = CheckSaved(*compressed.model, options.output);
  describe.join();
  ANEMONE_TRY(same);
  if (!manifest.ok()) return manifest;
  if (raised_from) manifest->raised_from = DeploymentTargetName(*raised_from);
  ANEMONE_TRY(lab::WriteManifest(*manifest, lab::ManifestPathOf(options.output)));
  return manifest;
}

Result<std::string> CompressJson(const CompressFileOptions& options,
                                 const CompressFileResult& result, const compress::Report& report,
                                 int64_t duration_ns) {
  const CompressOptions& compress = options.compress;
  Json document = Document("anemone.compress");
  document["model"] = options.model;
  document["output"] = options.output;
  document["configuration"] = Json();
  if (!IsHalfPrecision(compress)) {
    ANEMONE_ASSIGN(const auto configuration, ConfigurationOf(compress));
    ANEMONE_ASSIGN(document["configuration"],
                   ParseJson(compress::ConfigurationJson(configuration)));
  }
  document["mode"] = compress.config.empty() ? Json(compress.mode) : Json();
  document["dtype"] = compress.config.empty() ? Json(compress.dtype) : Json();
  document["deployment_target"] = result.deployment_target;
  document["deployment_target_raised_from"] =
      result.raised_from.empty() ? Json() : Json(result.raised_from);
  document["compress_duration_ns"] = duration_ns;
  document["size_bytes"] = result.size_bytes;
  document["weight_bytes_before"] = result.weight_bytes_before;
  document["weight_bytes_after"] = result.weight_bytes_after;
  document["notes"] = result.warnings;
  document["tensors"] = TensorsJson(report);
  return DocumentText(document);
}

}  // namespace

Result<CompressFileResult> RunCompressFile(const CompressFileOptions& options, const Hooks& hooks) {
  ANEMONE_TRY(options::Check(options));  // before anything is read
  ANEMONE_TRY(CheckOutput(options.output));
  Tell(hooks, "reading " + options.model);
  const std::string& target = options.compress.minimum_deployment_target;
  ANEMONE_ASSIGN(const LoadedModel loaded, LoadModel(options, target.empty() ? "iOS17" : target));
  Tell(hooks, "compressing");
  ANEMONE_TRY(CheckCancelled(hooks));
  const auto count = [&](std::string_view what, int64_t done, int64_t total) {
    Tell(hooks, std::string(what), done, total);
  };
  compress::Report report;
  std::optional<ir::Opset> raised_from;
  const int64_t begin_ns = NowNs();
  ANEMONE_TRY(
      Compress(*loaded.model, options.compress, &report, count, &raised_from).At(options.model));
  const int64_t duration_ns = NowNs() - begin_ns;
  ANEMONE_TRY(CheckCancelled(hooks));
  Tell(hooks, "writing " + options.output);
  ANEMONE_TRY(Save(*loaded.model, options.output));
  ANEMONE_ASSIGN(const lab::Manifest manifest,
                 CheckAndDescribe(options, loaded, report, raised_from));
  CompressFileResult result;
  result.deployment_target = manifest.deployment_target;
  result.raised_from = manifest.raised_from;
  result.compressed = static_cast<int64_t>(report.compressed.size());
  for (const compress::TensorRecord& tensor : report.skipped)
    result.skipped.push_back({tensor.name, tensor.reason});
  result.warnings = loaded.model->notes;
  result.weight_bytes_before = report.bytes_before;
  result.weight_bytes_after = report.bytes_after;
  ANEMONE_ASSIGN(result.size_bytes, SizeOnDisk(options.output));
  ANEMONE_ASSIGN(result.json, CompressJson(options, result, report, duration_ns));
  return result;
}

}  // namespace anemone::facade
