#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "exec/session_inputs.h"
#include "lab/evaluate.h"
#include "runtime/backends.h"

namespace anemone::cli {
namespace {

struct EvalFlags {
  ModelFlags model;
  BackendFlags backend;
  std::string images;
  std::string labels;
  std::string reference;
  int resize = 0;
  double crop = 0.875;
  std::vector<float> mean{0.485f, 0.456f, 0.406f};
  std::vector<float> deviation{0.229f, 0.224f, 0.225f};
  std::string interpolation = "bicubic";
  int64_t limit = 0;
  bool rows = false;
};

Status RunEval(const EvalFlags& flags, const Globals& globals) {
  lab::EvaluateOptions options;
  options.limit = flags.limit;
  options.preprocess.resize = flags.resize;
  options.preprocess.crop = flags.crop;
  if (flags.mean.size() != 3 || flags.deviation.size() != 3)
    return Usage("--mean and --std take three numbers");
  for (size_t i = 0; i < 3; ++i) {
    if (flags.deviation[i] == 0) return Usage("--std must not be zero");
    options.preprocess.mean[i] = flags.mean[i];
    options.preprocess.deviation[i] = flags.deviation[i];
  }
  const auto filter = media::FilterFromName(flags.interpolation);
  if (!filter) {
    return Usage("unknown interpolation '{}'", flags.interpolation)
        .Advise("choose box, bilinear, bicubic or lanczos");
  }
  options.preprocess.filter = *filter;
  ANEMONE_ASSIGN(const auto images, lab::ReadLabels(flags.labels));
  ANEMONE_ASSIGN(const auto loaded, Load(flags.model));
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend(flags.backend.backend));
  ANEMONE_ASSIGN(auto load, MakeLoadOptions(flags.backend, globals));
  ANEMONE_ASSIGN(const ir::Function* function,
                 exec::ChooseFunction(*loaded.model, flags.backend.function));
  ANEMONE_ASSIGN(auto session, backend->Load(loaded.model, load));
  std::unique_ptr<exec::Executable> reference;
  if (!flags.reference.empty()) {
    ANEMONE_ASSIGN(const auto other, Load(flags.reference));
    load.numerics = exec::Numerics::kAsTyped;
    load.function.clear();
    ANEMONE_ASSIGN(reference, backend->Load(other.model, load));
  }
  Progress progress(globals);
  options.progress = [&](int64_t done, int64_t total) { progress.Count(done, total, "images"); };
  const auto start = std::chrono::steady_clock::now();
  ANEMONE_ASSIGN(const auto evaluation, lab::Evaluate(*session, reference.get(), *function,
                                                      flags.images, images, options));
  const int64_t duration_ns =
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - start).count();
  if (globals.json) {
    Json document = Document("anemone.eval");
    document["model"] = flags.model.source.model;
    document["backend"] = backend->name();
    document["images"] = evaluation.images;
    document["top1"] = evaluation.top1;
    document["top5"] = evaluation.top5;
    document["top1_accuracy"] = evaluation.top1_accuracy();
    document["top5_accuracy"] = evaluation.top5_accuracy();
    document["reference"] = flags.reference.empty() ? Json(nullptr) : Json(flags.reference);
    document["agree_with_reference"] =
        evaluation.has_reference ? Json(evaluation.agree_with_reference) : Json(nullptr);
    document["duration_ns"] = duration_ns;
    if (flags.rows) {
      Json rows = Json::array();
      for (const auto& row : evaluation.rows) {
        Json item{{"file", row.file},
                  {"label", row.label},
                  {"predicted", row.predicted},
                  {"score", row.score}};
        item["reference"] = row.reference < 0 ? Json(nullptr) : Json(row.reference);
        rows.push_back(std::move(item));
      }
      document["rows"] = std::move(rows);
    }
    Print(document);
    return {};
  }
  if (flags.rows) {
    for (const auto& row : evaluation.rows) {
      std::cout << fmt::format("{} label {} predicted {}\n", row.file, row.label, row.predicted);
    }
  }
  std::cout << fmt::format("top-1 {}/{} ({:.1f} %), top-5 {}/{} ({:.1f} %)\n", evaluation.top1,
                           evaluation.images, 100 * evaluation.top1_accuracy(), evaluation.top5,
                           evaluation.images, 100 * evaluation.top5_accuracy());
  if (evaluation.has_reference) {
    std::cout << fmt::format("top-1 agrees with {} on {}/{} images\n", flags.reference,
                             evaluation.agree_with_reference, evaluation.images);
  }
  return {};
}

}  // namespace

void AddEval(Command app, Context& context) {
  Command command = app.AddCommand("eval", "top-1 and top-5 over labeled photographs");
  auto flags = std::make_shared<EvalFlags>();
  AddModelFlags(command, flags->model, false);
  command.AddOption("--images", flags->images, "folder of PNG and JPEG files").Required();
  command.AddOption("--labels", flags->labels, "CSV with the columns file and class_index")
      .Required();
  command.AddOption("--reference", flags->reference, "MODEL whose predictions to agree with");
  command
      .AddOption("--resize", flags->resize,
                 "with --crop in pixels: resize the shorter side to this first")
      .ShowDefault();
  command
      .AddOption(
          "--crop", flags->crop,
          "center crop: a share of the shorter side up to 1, then resized to the input; or pixels")
      .ShowDefault();
  command.AddOption("--mean", flags->mean, "three channel means of values in 0 to 1")
      .Delimiter(',')
      .ShowDefault();
  command.AddOption("--std", flags->deviation, "three channel deviations")
      .Delimiter(',')
      .ShowDefault();
  command.AddOption("--interpolation", flags->interpolation, "box, bilinear, bicubic or lanczos")
      .ShowDefault();
  command.AddOption("--limit", flags->limit, "evaluate only the first N images");
  command.AddFlag("--rows", flags->rows, "list every image's prediction");
  AddBackendFlags(command, flags->backend);
  command.Footer(
      "Example: anemone eval model.mlpackage --images photos --labels photos/labels.csv "
      "--reference model.onnx");
  OnRun(command, context, [flags, &context] { return RunEval(*flags, context.globals); });
}

}  // namespace anemone::cli
