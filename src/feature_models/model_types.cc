#include "feature_models/model_types.h"

namespace anemone::feature_models {
namespace {

constexpr ModelType kTypes[] = {
#define ANEMONE_MODEL_TYPE(name, Name, lifts, reason) {name, &Make##Name, true, lifts, reason},
#define ANEMONE_REFUSED_TYPE(name, Name, reason) {name, &Make##Name, false, false, reason},
#define ANEMONE_PROGRAM_TYPE(name, reason) {name, nullptr, true, true, reason},
#include "feature_models/model_types.inc"
#undef ANEMONE_MODEL_TYPE
#undef ANEMONE_REFUSED_TYPE
#undef ANEMONE_PROGRAM_TYPE
};

}  // namespace

std::span<const ModelType> ModelTypes() { return kTypes; }

const ModelType* FindModelType(std::string_view name) {
  for (const ModelType& type : kTypes) {
    if (type.name == name) return &type;
  }
  return nullptr;
}

Json ModelTypesJson() {
  Json rows = Json::Array();
  for (const ModelType& type : kTypes) {
    rows.push_back({{"type", type.name},
                    {"read", true},
                    {"run", type.runs},
                    {"lift", type.lifts},
                    {"reason", type.reason}});
  }
  return rows;
}

}  // namespace anemone::feature_models
