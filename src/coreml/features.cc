#include "coreml/features.h"

#include <algorithm>
#include <set>

namespace anemone::coreml {
namespace {

const BorderFeature* Find(const std::vector<BorderFeature>& features, std::string_view name) {
  const auto found = std::find_if(features.begin(), features.end(),
                                  [&](const auto& feature) { return feature.name == name; });
  return found == features.end() ? nullptr : &*found;
}

// Empty when it was added, else the problem.
std::string Add(const std::string& name, const ir::Type& type, const ir::Feature* described,
                std::vector<BorderFeature>* features) {
  BorderFeature feature{name, type, DType::kInvalid};
  if (!type.is_tensor() || !type.has_rank()) {
    return fmt::format("'{}' is a {}", name, type.ToString());
  }
  feature.dtype = type.dtype();
  if (described != nullptr && described->array() != nullptr) {
    feature.dtype = described->array()->dtype;
  }
  if (described != nullptr && described->image() != nullptr) {
    feature.image = *described->image();
    feature.kind = BorderFeature::Kind::kImage;
    const ir::Shape& shape = type.shape();
    const bool color = feature.image->color_space == ir::ImageFeature::ColorSpace::kRgb ||
                       feature.image->color_space == ir::ImageFeature::ColorSpace::kBgr;
    if (shape.size() != 4 || shape[0] != 1 || shape[1] != (color ? 3 : 1)) {
      return fmt::format("'{}' is an image of {}", name, type.ToString());
    }
  } else if (described != nullptr && described->array() == nullptr &&
             !std::holds_alternative<ir::StateFeature>(described->type)) {
    return fmt::format("'{}' is not an array", name);
  }
  if (feature.dtype != DType::kFp16 && feature.dtype != DType::kFp32 &&
      feature.dtype != DType::kInt32) {
    return fmt::format("'{}' is a {}", name, type.ToString());
  }
  features->push_back(std::move(feature));
  return {};
}

// Whether `output` is a classifier's output; if so, it is added, or `problem` says why not.
bool AddClass(const exec::Classes& classes, const std::string& output,
              std::vector<BorderFeature>* features, std::string* problem) {
  if (output == classes.label) {
    features->push_back({output, ir::Type::Scalar(DType::kInt32), DType::kInvalid, std::nullopt,
                         BorderFeature::Kind::kLabel});
    return true;
  }
  if (output != classes.probabilities) return false;
  std::set<std::string_view> seen;
  for (const std::string& name : classes.names) {
    if (seen.insert(name).second) continue;
    *problem = fmt::format("'{}' is a dictionary, and two classes are named '{}'", output, name);
    return true;
  }
  const auto count = static_cast<int64_t>(classes.names.size());
  features->push_back({output, ir::Type::Tensor(DType::kFp32, {count}), DType::kInvalid,
                       std::nullopt, BorderFeature::Kind::kProbabilities});
  return true;
}

}  // namespace

const BorderFeature* Border::FindInput(std::string_view name) const { return Find(inputs, name); }
const BorderFeature* Border::FindOutput(std::string_view name) const { return Find(outputs, name); }

Result<Border> BorderOf(const ir::Model& model, const ir::Function& function) {
  const ir::FunctionDescription* description = model.FindFunction(function.name);
  Border border;
  std::string problems;
  const auto note = [&](const std::string& problem) {
    if (!problem.empty()) problems += (problems.empty() ? "" : "; ") + problem;
  };
  for (const auto& input : function.inputs()) {
    if (input->type.is_state()) {
      note(Add(input->name, input->type.elements()[0], nullptr, &border.states));
    } else {
      note(Add(input->name, input->type,
               description != nullptr ? description->FindInput(input->name) : nullptr,
               &border.inputs));
    }
  }
  border.classes = exec::ClassesOf(function);
  for (const ir::Value* output : function.outputs()) {
    std::string problem;
    if (border.classes && AddClass(*border.classes, output->name, &border.outputs, &problem)) {
      note(problem);
      continue;
    }
    note(Add(output->name, output->type,
             description != nullptr ? description->FindOutput(output->name) : nullptr,
             &border.outputs));
  }
  if (!problems.empty()) {
    return Unsupported(
               "these features cannot cross to Core ML as images, or as arrays of fp16, fp32 or "
               "int32: {}",
               problems)
        .Advise(
            "use --backend cpu, or write the model with inputs that are arrays or images, and "
            "with classes that differ");
  }
  return border;
}

}  // namespace anemone::coreml
