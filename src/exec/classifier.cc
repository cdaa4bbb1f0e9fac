#include "exec/classifier.h"

#include <algorithm>

#include "ir/builder.h"

namespace anemone::exec {
namespace {

using ir::Value;

bool Classifies(const Value& output) {
  return output.producer != nullptr && output.producer->type() == "classify" &&
         output.producer->outputs().size() == 2;
}

bool Classifies(const ir::Function& function) {
  return std::any_of(function.outputs().begin(), function.outputs().end(),
                     [](const Value* output) { return Classifies(*output); });
}

const std::vector<ir::Literal>& ListOf(const ir::Operation& classify) {
  static const std::vector<ir::Literal> none;
  const Value* classes = classify.Input("classes");
  return classes != nullptr && classes->is_const() ? classes->literal->elements() : none;
}

// Appends the tensor that stands for one output of `classify`, under its name.
Result<Value*> AsTensor(ir::Builder& builder, Value* probabilities, int64_t count, bool label,
                        const std::string& name) {
  ANEMONE_ASSIGN(
      ir::Operation * flat,
      builder.Add("reshape", {{"x", probabilities}, {"shape", ir::Literal::Int32s({count})}},
                  label ? name + "_flat" : name));
  if (!label) return flat->output();
  ANEMONE_ASSIGN(ir::Operation * index, builder.Add("reduce_argmax",
                                                    {{"x", flat->output()},
                                                     {"axis", ir::Literal::Int32(0)},
                                                     {"keep_dims", ir::Literal::Bool(false)}},
                                                    name));
  return index->output();
}

Status Rewrite(ir::Function& function, ir::FunctionDescription* description) {
  struct Wanted {
    size_t index;
    bool label;
    Value* probabilities;
    int64_t count;
    std::string name;
  };
  std::vector<Wanted> wanted;
  std::vector<Value*>& outputs = function.block->outputs();
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!Classifies(*outputs[i])) continue;
    const ir::Operation& classify = *outputs[i]->producer;
    wanted.push_back({i, outputs[i] == classify.output(0), classify.Input("probabilities"),
                      static_cast<int64_t>(ListOf(classify).size()), outputs[i]->name});
    if (wanted.back().probabilities == nullptr || wanted.back().count == 0) {
      return InvalidInput("a classifier needs classes").At("output " + outputs[i]->name);
    }
  }
  // Nothing else can use a label or a dictionary; their names become free.
  function.block->EraseIf(
      [](const ir::Operation& operation) { return operation.type() == "classify"; });
  ir::Builder builder(function);
  for (const Wanted& each : wanted) {
    ANEMONE_ASSIGN(outputs[each.index],
                   AsTensor(builder, each.probabilities, each.count, each.label, each.name));
    if (description == nullptr) continue;
    for (ir::Feature& feature : description->outputs) {
      if (feature.name != each.name) continue;
      ir::ArrayFeature array;
      array.dtype = each.label ? DType::kInt32 : DType::kFp32;
      if (!each.label) array.shape = {each.count};
      feature.type = std::move(array);
    }
  }
  return {};
}

}  // namespace

std::optional<Classes> ClassesOf(const ir::Function& function) {
  std::optional<Classes> classes;
  for (const Value* output : function.outputs()) {
    if (!Classifies(*output)) continue;
    const ir::Operation& classify = *output->producer;
    if (!classes) {
      classes.emplace();
      for (const ir::Literal& name : ListOf(classify)) {
        const std::optional<int64_t> number = name.AsInt();
        classes->integers = number.has_value();
        classes->names.push_back(number ? std::to_string(*number) : name.AsString().value_or(""));
      }
    }
    (output == classify.output(0) ? classes->label : classes->probabilities) = output->name;
  }
  return classes;
}

Result<std::shared_ptr<const ir::Model>> WithTensorOutputs(std::shared_ptr<const ir::Model> model) {
  const auto& functions = model->program.functions;
  if (std::none_of(functions.begin(), functions.end(),
                   [](const auto& function) { return Classifies(*function); })) {
    return model;
  }
  auto made = std::make_shared<ir::Model>();
  made->spec_version = model->spec_version;
  made->metadata = model->metadata;
  made->functions = model->functions;
  made->multi_function = model->multi_function;
  made->default_function = model->default_function;
  made->program = ir::Clone(model->program);
  for (const auto& function : made->program.functions) {
    if (!Classifies(*function)) continue;
    const auto description =
        std::find_if(made->functions.begin(), made->functions.end(),
                     [&](const auto& each) { return each.name == function->name; });
    ANEMONE_TRY(Rewrite(*function, description != made->functions.end() ? &*description : nullptr)
                    .At("function " + function->name));
  }
  return std::shared_ptr<const ir::Model>(std::move(made));
}

}  // namespace anemone::exec
