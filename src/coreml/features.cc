#include "coreml/features.h"

#include <algorithm>

namespace anemone::coreml {
namespace {

const BorderFeature* Find(const std::vector<BorderFeature>& features, std::string_view name) {
  const auto found = std::find_if(features.begin(), features.end(),
                                  [&](const auto& feature) { return feature.name == name; });
  return found == features.end() ? nullptr : &*found;
}

// Empty when it was added, else what is wrong with it.
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
    const ir::Shape& shape = type.shape();
    const bool color = feature.image->color_space == ir::ImageFeature::ColorSpace::kRgb ||
                       feature.image->color_space == ir::ImageFeature::ColorSpace::kBgr;
    if (shape.size() != 4 || shape[0] != 1 || shape[1] != (color ? 3 : 1)) {
      return fmt::format("'{}' is an image of {}", name, type.ToString());
    }
  } else if (described != nullptr && described->array() == nullptr &&
             !std::holds_alternative<ir::StateFeature>(described->type)) {
    return fmt::format("'{}' is no array", name);
  }
  if (feature.dtype != DType::kFp16 && feature.dtype != DType::kFp32 &&
      feature.dtype != DType::kInt32) {
    return fmt::format("'{}' is a {}", name, type.ToString());
  }
  features->push_back(std::move(feature));
  return {};
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
  for (const ir::Value* output : function.outputs()) {
    note(Add(output->name, output->type,
             description != nullptr ? description->FindOutput(output->name) : nullptr,
             &border.outputs));
  }
  if (!problems.empty()) {
    return Unsupported(
               "these features cannot cross to Core ML as arrays of fp16, fp32 or int32: {}",
               problems)
        .Advise("use --backend cpu");
  }
  return border;
}

}  // namespace anemone::coreml
