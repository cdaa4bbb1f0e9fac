#include "facade/class_labels.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/nearest_names.h"
#include "ir/builder.h"

namespace anemone::facade {
namespace {

// coremltools' names.
constexpr std::string_view kLabelOutput = "classLabel";
constexpr std::string_view kProbabilitiesOutput = "classLabel_probs";
constexpr size_t kDuplicatesNamed = 3;

// Texts, or numbers for labels that are integers.
struct ClassLabels {
  std::vector<ir::Literal> literals;
  std::vector<std::string> names;  // the same as texts
  bool integers = false;
};

Status AddLabel(std::string text, ClassLabels* labels) {
  if (!IsUtf8(text)) return InvalidInput("label {} is not UTF-8", labels->names.size());
  labels->literals.push_back(ir::Literal::String(text));
  labels->names.push_back(std::move(text));
  return {};
}

// A line for each class; the last one may end without a line break.
Result<ClassLabels> ParseLines(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  ClassLabels labels;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) {
      return InvalidInput("line {} is empty, and each line is the label of a class",
                          labels.names.size() + 1);
    }
    ANEMONE_TRY(AddLabel(std::string(line), &labels));
  }
  return labels;
}

// A JSON list of texts, or of integers.
Result<ClassLabels> ParseList(std::string_view text) {
  ANEMONE_ASSIGN(const Json json, ParseJson(text));
  if (!json.is_array()) return InvalidInput("it is not a JSON list of labels");
  ClassLabels labels;
  for (const Json& each : json) {
    if (each.is_text()) {
      ANEMONE_TRY(AddLabel(each.text(), &labels));
    } else if (each.is_integer()) {
      ANEMONE_ASSIGN(
          ir::Literal literal,
          ir::Literal::FromBytes(ir::Type::Scalar(DType::kInt64),
                                 Bytes::FromVector(std::vector<int64_t>{each.integer()})));
      labels.literals.push_back(std::move(literal));
      labels.names.push_back(std::to_string(each.integer()));
      labels.integers = true;
    } else {
      return InvalidInput("label {} is neither a text nor an integer", labels.names.size());
    }
    if (each.is_text() != json.begin()->is_text())
      return InvalidInput("some labels are texts and some integers");
  }
  return labels;
}

Result<ClassLabels> ReadClassLabels(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  auto labels = path.ends_with(".json") ? ParseList(bytes.text()) : ParseLines(bytes.text());
  if (!labels.ok()) return std::move(labels).At(path).error();
  if (labels->names.empty()) return InvalidInput("the file holds no labels").At(path);
  return labels;
}

bool IsFloatTensor(const ir::Value& value) {
  return value.type.is_tensor() &&
         (value.type.dtype() == DType::kFp32 || value.type.dtype() == DType::kFp16);
}

// The output that scores the classes.
Result<size_t> ScoresOutput(const ir::Function& function, const std::string& wanted,
                            int64_t classes) {
  const std::vector<ir::Value*>& outputs = function.outputs();
  std::vector<size_t> fitting;
  std::vector<std::string_view> known;
  std::string listed;
  for (size_t i = 0; i < outputs.size(); ++i) {
    known.push_back(outputs[i]->name);
    listed += (listed.empty() ? "" : ", ") + outputs[i]->name + " " + outputs[i]->type.ToString();
    const bool fits =
        IsFloatTensor(*outputs[i]) && outputs[i]->type.element_count().value_or(-1) == classes;
    if (outputs[i]->name == wanted) {
      if (fits) return i;
      return Usage("{} labels for the output '{}', which is {}", classes, wanted,
                   outputs[i]->type.ToString());
    }
    if (fits) fitting.push_back(i);
  }
  if (!wanted.empty()) {
    return Usage("there is no output '{}'", wanted)
        .At("probabilities_output")
        .Advise(SuggestNames(wanted, known, "outputs"));
  }
  if (fitting.size() == 1) return fitting[0];
  if (fitting.empty())
    return Usage("there are {} labels, and no output scores as many classes: {}", classes, listed);
  return Usage("{} outputs have {} elements: {}", fitting.size(), classes, listed)
      .Advise("choose one with --probabilities-output");
}

// Whether the values come from an operator that makes probabilities.
bool AreProbabilities(const ir::Value* value) {
  constexpr std::array<std::string_view, 6> kSameValues = {"reshape",     "squeeze",  "cast",
                                                           "expand_dims", "identity", "flatten2d"};
  while (value->producer != nullptr &&
         std::ranges::find(kSameValues, value->producer->type()) != kSameValues.end()) {
    value = value->producer->Input("x");
  }
  const ir::Operation* producer = value->producer;
  return producer != nullptr && (producer->type() == "softmax" || producer->type() == "sigmoid");
}

void NoteDoubts(const ir::Value& scores, const ClassLabels& labels, ir::Model* model) {
  if (!AreProbabilities(&scores)) {
    model->notes.push_back(fmt::format(
        "labels: '{}' is not made by a softmax or sigmoid: {} holds its numbers as they are, which "
        "are not probabilities",
        scores.name, kProbabilitiesOutput));
  }
  std::set<std::string> seen;
  std::set<std::string> twice;
  for (const std::string& name : labels.names)
    if (!seen.insert(name).second) twice.insert(name);
  if (twice.empty()) return;
  std::string named;
  size_t count = 0;
  for (const std::string& name : twice)
    if (count++ < kDuplicatesNamed) named += (named.empty() ? "'" : ", '") + name + "'";
  if (twice.size() > kDuplicatesNamed) named += ", ...";
  model->notes.push_back(
      fmt::format("labels: {} stand{} for several classes: {} holds one number for each label",
                  named, twice.size() == 1 ? "s" : "", kProbabilitiesOutput));
}

Status Classify(ir::Function& function, ir::FunctionDescription& description, size_t at,
                ClassLabels labels) {
  const std::string scores = function.outputs()[at]->name;
  for (const auto* output : function.outputs()) {
    if (output->name == kLabelOutput || output->name == kProbabilitiesOutput)
      return Usage("the model has an output '{}' already", output->name).At("labels");
  }
  const auto count = static_cast<int64_t>(labels.literals.size());
  const DType dtype = labels.integers ? DType::kInt64 : DType::kString;
  const bool integers = labels.integers;
  ir::Literal classes = ir::Literal::Compound(ir::Type::List(ir::Type::Scalar(dtype), count),
                                              std::move(labels.literals));
  ir::Builder builder(function);
  ir::Value* probabilities = function.outputs()[at];
  if (probabilities->type.dtype() != DType::kFp32) {
    probabilities = builder.Op(
        "cast", {{"x", probabilities}, {"dtype", ir::Literal::String("fp32")}}, scores + "_fp32");
  }
  ANEMONE_TRY(builder.status());
  ANEMONE_ASSIGN(ir::Operation * classify,
                 builder.Add("classify", {{"probabilities", probabilities}, {"classes", classes}},
                             "classify"));
  classify->output(0)->name = std::string(kLabelOutput);
  classify->output(1)->name = std::string(kProbabilitiesOutput);
  std::vector<ir::Value*>& outputs = function.block->outputs();
  outputs.erase(outputs.begin() + static_cast<std::ptrdiff_t>(at));
  outputs.insert(outputs.begin(), {classify->output(0), classify->output(1)});
  std::erase_if(description.outputs,
                [&](const ir::Feature& feature) { return feature.name == scores; });
  ir::Feature label{.name = std::string(kLabelOutput), .type = {}};
  label.type = integers ? ir::ScalarFeature::kInt64 : ir::ScalarFeature::kString;
  ir::Feature dictionary{.name = std::string(kProbabilitiesOutput), .type = {}};
  dictionary.type = ir::DictionaryFeature{integers ? ir::KeyType::kInt64 : ir::KeyType::kString};
  description.outputs.insert(description.outputs.begin(),
                             {std::move(label), std::move(dictionary)});
  description.predicted_feature_name = kLabelOutput;
  description.predicted_probabilities_name = kProbabilitiesOutput;
  return {};
}

}  // namespace

Status DeclareClassLabels(ir::Model& model, const ConvertOptions& options) {
  if (options.labels.empty()) {
    if (options.probabilities_output.empty()) return {};
    return Usage("an output of probabilities is chosen for labels, and there are none")
        .At("probabilities_output")
        .Advise("give --labels FILE");
  }
  ANEMONE_ASSIGN(ClassLabels labels, ReadClassLabels(options.labels));
  ir::Function* function = model.program.main();
  const auto description = function == nullptr ? model.functions.end()
                                               : std::ranges::find(model.functions, function->name,
                                                                   &ir::FunctionDescription::name);
  if (description == model.functions.end() || model.program.functions.size() != 1)
    return Usage("a classifier has one function").At("labels");
  if (!description->predicted_feature_name.empty())
    return Usage("the model is a classifier already").At("labels");
  ANEMONE_ASSIGN(const size_t at, ScoresOutput(*function, options.probabilities_output,
                                               static_cast<int64_t>(labels.names.size()))
                                      .At("labels"));
  NoteDoubts(*function->outputs()[at], labels, &model);
  return Classify(*function, *description, at, std::move(labels));
}

}  // namespace anemone::facade
