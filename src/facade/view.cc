// RunView: the document "anemone.view" (graph, weights, placement, half precision), and the page
// that shows it.
#include <map>
#include <set>

#include "base/atomic_file.h"
#include "base/html_page.h"
#include "exec/function_inputs.h"
#include "facade/convert.h"
#include "facade/document.h"
#include "facade/inspect.h"
#include "facade/inspect_placement.h"
#include "facade/tool_options.h"
#include "facade/tools.h"
#include "facade/view_page.h"
#include "ir/arithmetic.h"
#include "lab/half_trace.h"
#include "lab/parity_json.h"
#include "lab/samples.h"
#include "lab/weight_histogram.h"
#include "options/option.h"
#include "runtime/backends.h"

namespace anemone::facade {
namespace {

// Weights of at most so many elements are shown without a histogram.
constexpr int64_t kHistogramThreshold = 64;
constexpr int kHistogramBins = 32;
constexpr int64_t kHalfSamples = 2;

// Names as an array of JSON.
template <typename Values>
Json NamesJson(const Values& values) {
  Json names = Json::Array();
  for (const auto& value : values) names.push_back(value->name);
  return names;
}

Json WeightJson(const ir::Value& value) {
  return {{"name", value.name},
          {"type", value.type.ToString()},
          {"bytes", static_cast<int64_t>(value.literal->bytes().size())}};
}

// What one operation takes: values of the graph by name, weights by name and type. Small constants
// (strides, axes) are parameters, with their text.
struct Taken {
  Json inputs = Json::Array();
  Json weights = Json::Array();
  Json parameters = Json::Object();
};

// A weight that is stored compressed belongs to the operator that uses it: what it is made of stands
// there, with the operator that restores it ("weight: constexpr_affine_dequantize", "weight.scale").
void AddArguments(const ir::Operation& operation, const std::string& prefix, Taken* taken) {
  for (const ir::Argument& argument : operation.arguments()) {
    const std::string name = prefix + argument.name;
    for (const ir::Value* value : argument.values) {
      if (value->is_const()) {
        if (value->type.is_tensor() && value->type.dtype() != DType::kString &&
            value->literal->element_count() > kHistogramThreshold) {
          taken->weights.push_back(WeightJson(*value));
        } else {
          taken->parameters[name] = value->literal->ToString();
        }
      } else if (value->is_stored()) {
        taken->parameters[name] = value->producer->type();
        AddArguments(*value->producer, name + ".", taken);
      } else {
        taken->inputs.push_back(value->name);
      }
    }
  }
}

// The outputs of the function and of bodies: a compressed weight among them is used by no operator.
std::set<const ir::Value*> ReturnedValues(const ir::Function& function) {
  std::set<const ir::Value*> returned;
  returned.insert(function.block->outputs().begin(), function.block->outputs().end());
  ir::ForEachOperation(*function.block, [&](const ir::Operation& operation) {
    for (const auto& body : operation.blocks())
      returned.insert(body->outputs().begin(), body->outputs().end());
  });
  return returned;
}

Json OperatorsJson(const ir::Function& function) {
  Json operators = Json::Array();
  const std::set<const ir::Value*> returned = ReturnedValues(function);
  ir::ForEachOperation(*function.block, [&](const ir::Operation& operation) {
    if (operation.is_const()) return;
    if (operation.is_constexpr() && !returned.contains(operation.output())) return;
    Json row{{"name", operation.name()}, {"type", operation.type()}};
    row["outputs"] = NamesJson(operation.outputs());
    row["output"] = operation.outputs().empty() ? "" : operation.output()->type.ToString();
    row["flops"] = ir::FlopsOf(operation, function.opset).value_or(-1);
    Taken taken;
    AddArguments(operation, "", &taken);
    row["inputs"] = std::move(taken.inputs);
    row["weights"] = std::move(taken.weights);
    row["parameters"] = std::move(taken.parameters);
    operators.push_back(std::move(row));
  });
  return operators;
}

// Verdicts repeat: each stands once in a list, and operators name its place there.
class VerdictList {
 public:
  size_t Add(const placement::Verdict& verdict) {
    Json json = VerdictJson(verdict);
    const auto [found, added] = places_.try_emplace(json.Dump(), places_.size());
    if (added) list_.push_back(std::move(json));
    return found->second;
  }
  Json Take() { return std::move(list_); }

 private:
  std::map<std::string, size_t> places_;
  Json list_ = Json::Array();
};

Json ViewedChipJson(const placement::Analysis& analysis, const ir::Function& function) {
  VerdictList verdicts;
  // By name: those of bodies stand among the others.
  Json operators = Json::Object();
  for (const placement::AnalyzedOp& op : analysis.operations) {
    Json row;
    row["preferred"] = op.preferred == ComputeUnit::kUnknown
                           ? Json(nullptr)
                           : Json(std::string(ComputeUnitName(op.preferred)));
    for (const ComputeUnit unit : kHardwareUnits)
      row[std::string(ComputeUnitName(unit))] = verdicts.Add(op.placement.of(unit));
    const auto& beliefs = op.beliefs;
    const auto cpu = beliefs.bnns_us ? beliefs.bnns_us : beliefs.classic_us;
    const auto time = op.preferred == ComputeUnit::kAne ? beliefs.ane_us : cpu;
    row["estimated_us"] = time ? lab::FiniteOrNull(*time) : Json(nullptr);
    row["note"] = op.note.empty() ? Json(nullptr) : Json(op.note);
    operators[op.operation->name()] = std::move(row);
  }
  Json json{{"chip", analysis.chip->name}, {"title", analysis.chip->title}};
  json["source"] = "estimated";
  json["function"] = function.name;
  json["operators"] = std::move(operators);
  json["verdicts"] = verdicts.Take();
  return json;
}

// The error that half precision adds, by operator; or why it was not measured.
Result<Json> HalfJson(const LoadedModel& loaded, const ir::Function& function,
                      const ViewOptions& options) {
  if (!options.float16) return Json{{"skipped", "not asked for (--float16)"}};
  if (UsesHalf(function)) return Json{{"skipped", "the model computes in float16 already"}};
  auto samples = lab::Samples::Synthetic(*loaded.model, function, kHalfSamples, 0);
  if (!samples.ok()) return Json{{"skipped", samples.error().ToString()}};
  std::vector<lab::Inputs> inputs;
  for (int64_t i = 0; i < samples->count(); ++i) {
    inputs.push_back(samples->at(i));
  }
  ANEMONE_ASSIGN(const exec::Backend* backend, runtime::FindBackend("cpu"));
  const auto traced =
      lab::TraceHalf(*backend, loaded.model, function.name, inputs, options.threads);
  if (!traced.ok()) {
    if (traced.error().code() == ErrorCode::kUnsupported)
      return Json{{"skipped", traced.error().ToString()}};
    return traced.error();
  }
  Json operators = Json::Object();
  for (const lab::OperatorFidelity& row : *traced) {
    operators[row.name] = {{"added", lab::FiniteOrNull(row.added)},
                           {"error", lab::FiniteOrNull(row.error)},
                           {"largest", lab::FiniteOrNull(row.largest)},
                           {"overflowing", row.overflowing},
                           {"not_a_number", row.not_a_number}};
  }
  return Json{{"samples", samples->description()}, {"operators", std::move(operators)}};
}

Result<Json> ViewedModelJson(const std::string& model, const ViewOptions& options) {
  ModelOptions opened = options;
  opened.model = model;
  ANEMONE_ASSIGN(const LoadedModel loaded,
                 LoadModel(SourceOf(opened, options.minimum_deployment_target)));
  ANEMONE_ASSIGN(const ir::Function* function,
                 exec::ChooseFunction(*loaded.model, options.function));
  Json json{{"model", loaded.name}, {"function", function->name}};
  json["target"] = DeploymentTargetName(function->opset);
  json["inputs"] = NamesJson(function->inputs());
  json["outputs"] = NamesJson(function->outputs());
  json["operators"] = OperatorsJson(*function);
  Json histograms = Json::Object();
  for (const auto& histogram : lab::HistogramsOf(*function, kHistogramThreshold, kHistogramBins))
    histograms[histogram.weight] = lab::HistogramJson(histogram);
  json["histograms"] = std::move(histograms);
  ANEMONE_ASSIGN(const auto chips, placement::ParseChips(options.chip));
  ANEMONE_ASSIGN(const ComputeUnits units, ComputeUnitsFromName(options.compute_units));
  ANEMONE_ASSIGN(const PlacementReport placed,
                 AnalyzePlacement(*loaded.model, options.function, chips, units));
  json["chips"] = Json::Array();
  for (const placement::Analysis& analysis : placed.chips)
    json["chips"].push_back(ViewedChipJson(analysis, *function));
  ANEMONE_ASSIGN(json["float16"], HalfJson(loaded, *function, options));
  return json;
}

}  // namespace

Result<ViewResult> RunView(const ViewOptions& options, const Hooks& hooks) {
  ANEMONE_TRY(options::Check(options));
  Json document = Document("anemone.view");
  document["tool_version"] = Version();
  document["models"] = Json::Array();
  ViewResult result;
  result.output = options.output;
  for (const std::string& model : {options.model, options.compare}) {
    if (model.empty()) continue;
    Tell(hooks, "looking at " + model);
    ANEMONE_ASSIGN(Json json, ViewedModelJson(model, options).At(model));
    result.operators += static_cast<int64_t>(json["operators"].size());
    document["models"].push_back(std::move(json));
  }
  result.json = document.Dump();
  const std::string page =
      FillPage(view_page::Template(), {{"/*LAYOUT*/", view_page::Layout()},
                                       {"/*PAGE_STYLE*/", view_page::Style()},
                                       {"/*GRAPH_SCRIPT*/", view_page::Graph()},
                                       {"/*PAGE_SCRIPT*/", view_page::Script()},
                                       {"/*VIEW_JSON*/", JsonForScript(result.json)}});
  ANEMONE_TRY(WriteAtomically(options.output, page));
  result.size_bytes = static_cast<int64_t>(page.size());
  return result;
}

}  // namespace anemone::facade
