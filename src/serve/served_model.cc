#include "serve/served_model.h"

#include <algorithm>
#include <array>

#include "facade/arrays.h"
#include "ir/feature_shapes.h"

namespace anemone::serve {
namespace {

struct Datatype {
  DType dtype;
  const char* name;
};
constexpr std::array kDatatypes{
    Datatype{DType::kBool, "BOOL"},     Datatype{DType::kUInt8, "UINT8"},
    Datatype{DType::kUInt16, "UINT16"}, Datatype{DType::kInt8, "INT8"},
    Datatype{DType::kInt16, "INT16"},   Datatype{DType::kInt32, "INT32"},
    Datatype{DType::kInt64, "INT64"},   Datatype{DType::kFp16, "FP16"},
    Datatype{DType::kFp32, "FP32"},     Datatype{DType::kFp64, "FP64"},
};

bool TakesImage(const ServedModel& served, const ir::Value& input) {
  const ir::Feature* feature = ir::FindInputFeature(served.model(), served.function(), input.name);
  if (feature != nullptr && feature->image() != nullptr) return true;
  const auto shape = ir::DefaultInputShape(served.model(), served.function(), input);
  return input.type.is_tensor() && IsFloat(input.type.dtype()) && shape.ok() &&
         shape->size() == 4 && (*shape)[0] == 1 && (*shape)[1] == 3;
}

// The last dimension of what ranks classes; 0 when nothing does.
int64_t ClassCount(const ServedModel& served) {
  if (served.session->classes())
    return static_cast<int64_t>(served.session->classes()->names.size());
  const auto& outputs = served.function().outputs();
  const auto ranks = [&](const ir::Value* value) {
    return value->name == "logits" || value->name == "probabilities";
  };
  const auto named = std::ranges::find_if(outputs, ranks);
  if (named == outputs.end() && outputs.size() != 1) return 0;
  const ir::Type& type = (named == outputs.end() ? outputs.front() : *named)->type;
  if (!type.is_tensor() || !IsFloat(type.dtype()) || type.shape().empty()) return 0;
  const auto count = type.element_count();
  return count && *count == type.shape().back() ? *count : 0;
}

}  // namespace

const ir::Value* ServedModel::image_input() const {
  const ir::Value* found = nullptr;
  for (const auto& input : function().inputs()) {
    if (!TakesImage(*this, *input)) continue;
    if (found != nullptr) return nullptr;
    found = input.get();
  }
  return found;
}

bool ServedModel::classifies_images() const {
  return function().inputs().size() == 1 && image_input() != nullptr && ClassCount(*this) > 1;
}

std::string DatatypeOf(DType dtype) {
  const auto* const found =
      std::ranges::find(kDatatypes, exec::StorageDType(dtype), &Datatype::dtype);
  return found == kDatatypes.end() ? "" : found->name;
}

std::string NumpyNameOfDatatype(const std::string& datatype) {
  const auto* const found =
      std::ranges::find_if(kDatatypes, [&](const Datatype& row) { return datatype == row.name; });
  return found == kDatatypes.end() ? "" : facade::NumpyNameOf(found->dtype);
}

}  // namespace anemone::serve
