#include "facade/compress.h"

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/command.h"
#include "cli/option_flags.h"
#include "compress/configuration_json.h"
#include "facade/convert.h"
#include "facade/package_manifest.h"
#include "facade/save.h"

namespace anemone::cli {
namespace {

struct CompressFlags {
  ModelFlags model;
  std::string output;
  CompressOptions options;
};

Json ReportJson(const compress::Report& report) {
  Json tensors = Json::array();
  const auto add = [&](const compress::TensorRecord& tensor) {
    Json row{{"name", tensor.name},
             {"operator", tensor.op},
             {"shape", tensor.shape},
             {"elements", ir::ElementCount(tensor.shape).value_or(0)},
             {"bytes_before", tensor.bytes_before},
             {"bytes_after", tensor.bytes_after},
             {"max_error", tensor.max_error},
             {"rms_error", tensor.rms_error}};
    row["form"] = tensor.form.empty() ? Json(nullptr) : Json(tensor.form);
    row["skipped"] = tensor.reason.empty() ? Json(nullptr) : Json(tensor.reason);
    tensors.push_back(std::move(row));
  };
  for (const auto& tensor : report.compressed) add(tensor);
  for (const auto& tensor : report.skipped) add(tensor);
  return tensors;
}

// What the key "precision" says of a variant.
std::string PrecisionName(const CompressOptions& options) {
  if (!options.config.empty()) return "configured";
  if (facade::IsHalfPrecision(options)) return "fp16";
  if (options.mode == "palettize") {
    return options.nbits > 0 ? fmt::format("palette{}", options.nbits) : "palette";
  }
  if (options.mode == "prune") return "sparse";
  return options.mode == "activations" ? "w8a8" : options.dtype;
}

// What stands beside the package. Nothing was compared here: the deltas stay unknown.
Result<lab::Manifest> MakeManifest(const CompressFlags& flags,
                                   const facade::LoadedModel& compressed,
                                   const compress::Report& report) {
  lab::Manifest manifest;
  manifest.precision = PrecisionName(flags.options);
  for (const auto* tensors : {&report.compressed, &report.skipped}) {
    for (const auto& tensor : *tensors) {
      manifest.tensors.push_back(
          {tensor.name, tensor.bytes_before, tensor.bytes_after, tensor.reason});
    }
  }
  ANEMONE_TRY(facade::DescribePackage(flags.model.source.model, compressed, *compressed.model,
                                      flags.output, &manifest));
  return manifest;
}

Status RunCompress(const CompressFlags& flags, const Globals& globals) {
  ANEMONE_TRY(options::Check(flags.options));  // before anything is read
  Progress progress(globals);
  progress.Step("reading " + flags.model.source.model);
  ModelFlags model = flags.model;
  const std::string& target = flags.options.minimum_deployment_target;
  if (!target.empty()) model.source.options.minimum_deployment_target = target;
  ANEMONE_ASSIGN(auto loaded, Load(model));
  compress::Report report;
  std::optional<ir::Opset> raised_from;
  CompressOptions options = flags.options;
  options.threads = globals.threads;
  const auto count = [&](std::string_view what, int64_t done, int64_t total) {
    progress.Count(done, total, std::string(what));
  };
  progress.Step("compressing");
  const auto begin = std::chrono::steady_clock::now();
  ANEMONE_TRY(
      facade::Compress(*loaded.model, options, &report, count, &raised_from)
          .At(flags.model.source.model));
  const int64_t duration_ns =
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - begin).count();
  progress.Step("writing " + flags.output);
  ANEMONE_TRY(facade::Save(*loaded.model, flags.output));
  // Described while it is read back.
  Result<lab::Manifest> manifest = Internal("not made");
  std::thread describe([&] { manifest = MakeManifest(flags, loaded, report); });
  const Status same = facade::CheckSaved(*loaded.model, flags.output);
  describe.join();
  ANEMONE_TRY(same);
  if (!manifest.ok()) return std::move(manifest).status();
  if (raised_from) {
    manifest->raised_from = facade::DeploymentTargetName(*raised_from);
    Say(globals, fmt::format("the deployment target was raised from {} to {}, the lowest that can "
                             "hold this form",
                             manifest->raised_from, manifest->deployment_target));
  }
  ANEMONE_TRY(lab::WriteManifest(*manifest, lab::ManifestPathOf(flags.output)));
  ANEMONE_ASSIGN(const int64_t size, SizeOnDisk(flags.output));
  if (globals.json) {
    Json document = Document("anemone.compress");
    document["model"] = flags.model.source.model;
    document["output"] = flags.output;
    if (facade::IsHalfPrecision(options)) {
      document["configuration"] = nullptr;
    } else {
      ANEMONE_ASSIGN(const auto configuration, facade::ConfigurationOf(options));
      document["configuration"] = Json::parse(compress::ConfigurationJson(configuration));
    }
    document["mode"] = options.config.empty() ? Json(options.mode) : Json(nullptr);
    document["dtype"] = options.config.empty() ? Json(options.dtype) : Json(nullptr);
    document["deployment_target"] = manifest->deployment_target;
    document["deployment_target_raised_from"] =
        manifest->raised_from.empty() ? Json(nullptr) : Json(manifest->raised_from);
    document["compress_duration_ns"] = duration_ns;
    document["size_bytes"] = size;
    document["weight_bytes_before"] = report.bytes_before;
    document["weight_bytes_after"] = report.bytes_after;
    document["tensors"] = ReportJson(report);
    Print(document);
  }
  if (globals.verbose > 0) {
    for (const auto& tensor : report.skipped)
      Say(globals, fmt::format("skipped {}: {}", tensor.name, tensor.reason));
  }
  Say(globals,
      fmt::format("{}: ok, {} of {} tensors compressed, weights {} -> {}, package {}", flags.output,
                  report.compressed.size(), report.compressed.size() + report.skipped.size(),
                  SizeText(report.bytes_before), SizeText(report.bytes_after), SizeText(size)));
  return {};
}

}  // namespace

void AddCompress(Command app, Context& context) {
  Command command = app.AddCommand("compress", "make a compressed variant");
  auto flags = std::make_shared<CompressFlags>();
  AddModelFlags(command, flags->model, false);
  command.AddOption("-o,--output", flags->output, "the .mlpackage to write").Required();
  AddOptions(command, options::TableOf(flags->options));
  command.Footer(
      "Example: anemone compress model.mlpackage -o model_4bit.mlpackage --mode palettize "
      "--nbits 4");
  OnRun(command, context, [flags, &context] { return RunCompress(*flags, context.globals); });
}

}  // namespace anemone::cli
