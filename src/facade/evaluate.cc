// RunEvaluate: a classifier over labeled photographs, with the document "anemone.eval".
#include "lab/evaluate.h"
#include "base/clock.h"
#include "exec/function_inputs.h"
#include "facade/arrays.h"
#include "facade/document.h"
#include "facade/preprocess.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "options/option.h"
#include "runtime/backends.h"

namespace anemone::facade {
namespace {

std::string EvaluateJson(const EvaluateOptions& options, const lab::Evaluation& evaluation,
                         std::string_view backend, int64_t duration_ns) {
  Json document = Document("anemone.eval");
  document["model"] = options.model;
  document["backend"] = backend;
  document["images"] = evaluation.images;
  document["top1"] = evaluation.top1;
  document["top5"] = evaluation.top5;
  document["top1_accuracy"] = evaluation.top1_accuracy();
  document["top5_accuracy"] = evaluation.top5_accuracy();
  document["reference"] = options.reference.empty() ? Json() : Json(options.reference);
  document["agree_with_reference"] =
      evaluation.has_reference ? Json(evaluation.agree_with_reference) : Json();
  document["duration_ns"] = duration_ns;
  if (options.rows) {
    Json rows = Json::Array();
    for (const auto& row : evaluation.rows) {
      rows.push_back({{"file", row.file},
                      {"label", row.label},
                      {"predicted", row.predicted},
                      {"score", static_cast<double>(row.score)},
                      {"reference", row.reference < 0 ? Json() : Json(row.reference)}});
    }
    document["rows"] = std::move(rows);
  }
  return DocumentText(document);
}

}  // namespace

Result<EvaluateResult> RunEvaluate(const EvaluateOptions& options, const Hooks& hooks) {
  ANEMONE_TRY(options::Check(options));
  lab::EvaluateOptions evaluate;
  evaluate.limit = options.limit;
  evaluate.cancelled = hooks.cancelled;
  evaluate.progress = [&](int64_t done, int64_t total) { Tell(hooks, "images", done, total); };
  ANEMONE_ASSIGN(evaluate.preprocess, PreprocessOf(options.preprocess));
  ANEMONE_ASSIGN(const auto images, lab::ReadLabels(options.labels));
  ANEMONE_ASSIGN(const auto loaded, LoadModel(options));
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend(options.backend));
  exec::LoadOptions load;
  load.function = options.function;
  load.threads = options.threads;
  ANEMONE_ASSIGN(load.numerics, ParseNumerics(options.numerics));
  ANEMONE_ASSIGN(const ir::Function* function,
                 exec::ChooseFunction(*loaded.model, options.function));
  ANEMONE_ASSIGN(auto executable, backend->Load(loaded.model, load));
  std::unique_ptr<exec::Executable> reference;
  if (!options.reference.empty()) {
    ANEMONE_ASSIGN(const auto other, LoadModel(options.reference));
    load.numerics = exec::Numerics::kAsTyped;
    load.function.clear();
    ANEMONE_ASSIGN(reference, backend->Load(other.model, load));
  }
  const int64_t start_ns = NowNs();
  ANEMONE_ASSIGN(auto evaluation, lab::Evaluate(*executable, reference.get(), *function,
                                                options.images, images, evaluate));
  const int64_t duration_ns = NowNs() - start_ns;
  EvaluateResult result;
  result.images = evaluation.images;
  result.top1 = evaluation.top1;
  result.top5 = evaluation.top5;
  if (evaluation.has_reference) result.agree_with_reference = evaluation.agree_with_reference;
  result.json = EvaluateJson(options, evaluation, backend->name(), duration_ns);
  result.rows = std::move(evaluation.rows);
  return result;
}

}  // namespace anemone::facade
