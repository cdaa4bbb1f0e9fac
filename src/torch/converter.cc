#include "torch/converter.h"

#include <unordered_map>

namespace anemone::torch {

const Converter* FindConverter(std::string_view target) {
  static const auto* const table = [] {
    auto* by_target = new std::unordered_map<std::string_view, const Converter*>();
    for (const Converter* row : AllConverters()) by_target->emplace(row->target, row);
    return by_target;
  }();
  const auto found = table->find(target);
  return found == table->end() ? nullptr : found->second;
}

}  // namespace anemone::torch
